/** The worker in which the code of models runs, and what it tells those who train. */
import assert from "node:assert/strict";
import { FlotillaError, ModelError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import type { ItemKind } from "../../src/data/dataset.ts";
import { startBackend, tf } from "../../src/training/backend.ts";
import { batchShape } from "../../src/training/batch_shape.ts";
import { ModelWorker } from "../../src/training/model_worker/model_worker.ts";
import { practise } from "../../src/training/practice_step.ts";
import { RecordingCompiler } from "../../src/training/recording_compiler.ts";
import { NotRecordable } from "../../src/training/step/not_recordable.ts";
import type { Mode } from "../../src/training/step/program.ts";
import { graphText } from "../../src/training/step/graph.ts";
import { record } from "../../src/training/step/record.ts";
import { settle, StepCompiler } from "../../src/training/step_compiler.ts";
import { build, SAMPLE_MODELS } from "./step/sample_models.ts";
import { LINEAR, notCompilable, packageOf } from "./tiny.ts";

const SOURCE = { modelPackage: LINEAR, args: {} };
const SGD = {
  loss: "crossentropy",
  optimizer: { name: "sgd", args: {}, proximalMu: 0 },
};
const STEP = { source: SOURCE, settings: SGD, mode: "train", size: 8 } as const;

/** Runs a test with a model worker, and ends it. */
async function withModelWorker(body: (models: ModelWorker) => Promise<void>): Promise<void> {
  const models = new ModelWorker("auto");
  try {
    await body(models);
  } finally {
    models.end(new Error("the test is over"));
  }
}

for (const name of Object.keys(SAMPLE_MODELS)) {
  Deno.test(`a recorded step of model "${name}" that was sent compiles to the same bytes`, () => {
    const built = build(name);
    const { layout } = built.description;
    const items: ItemKind = {
      type: "f32",
      shape: built.model.inputs[0]!.shape.slice(1) as number[],
      normalise: null,
    };
    const sizes = { train: [5], evaluate: [] };
    const here = new RecordingCompiler(built, SGD, items, sizes, "portable");
    const steps: [Mode, number][] = [["train", 5], ["evaluate", 9], ["train", 1]];
    const sent = steps.map(([mode, size]) =>
      structuredClone(record(built, SGD, mode, batchShape(size)))
    );
    const there = new StepCompiler(settle(layout, sent[0]!), items, "portable");
    assert.deepEqual(there.residence, here.residence);
    steps.forEach(([mode, size], i) => {
      assert.equal(there.has(mode, size), false);
      there.add(mode, size, sent[i]!);
      const { calls: _, ...program } = there.compile(mode, size, 1, {});
      const { calls: __, ...expected } = here.compile(mode, size, 1, {});
      assert.deepEqual(program, expected);
    });
  });
}

Deno.test("a model worker says what is known of a model, and records its steps", () =>
  withModelWorker(async (models) => {
    const { layout, outputShape, ends } = await models.ask("facts", {
      source: SOURCE,
      loss: "crossentropy",
    });
    assert.deepEqual(layout.map(({ shape }) => shape), [[4, 2], [2]]);
    assert.deepEqual(outputShape, [2]);
    assert.deepEqual(ends, {
      input: [2, 2, 1],
      inputLayer: "flatten_1",
      output: [2],
      outputLayer: "dense_1",
      loss: { name: "crossentropy", takesClasses: true },
    });
    const { graph, variables } = await models.ask("record", STEP);
    assert.equal(graph.samples, 8);
    assert.deepEqual(variables, [[4, 2], [2]]);
  }));

Deno.test("a model worker passes on what is wrong, and answers what is asked after it", () =>
  withModelWorker(async (models) => {
    const asked = await Promise.allSettled([
      models.ask("facts", { source: SOURCE, loss: "l3" }),
      models.ask("record", {
        ...STEP,
        source: { modelPackage: packageOf({ "model.js": "export default 1;" }), args: {} },
      }),
      models.ask("record", { ...STEP, source: { modelPackage: notCompilable(), args: {} } }),
      models.ask("record", STEP),
    ]);
    const [loss, code, odd, right] = asked.map((answer) =>
      answer.status === "rejected" ? answer.reason : null
    );
    assert.ok(loss instanceof ModelError && /Cannot use loss "l3"/.test(loss.message));
    assert.ok(code instanceof ModelError && /default export is number/.test(code.message));
    assert.ok(odd instanceof NotRecordable);
    assert.equal(right, null);
  }));

/** What a model's code would say of its worker. */
async function toldBy(models: ModelWorker, words: string): Promise<string> {
  const code = `export default ({ tf }) => { throw new Error("told: " + [${words}]); };`;
  const source = { modelPackage: packageOf({ "model.js": code }), args: {} };
  const reason = await models.ask("facts", { source, loss: "crossentropy" }).catch((e) => e);
  return String(reason).split("told: ")[1] ?? String(reason);
}

Deno.test("a model worker has tfjs, no name of Node and no global tf, whatever has run in it", () =>
  withModelWorker(async (models) => {
    const names = ["process", "Buffer", "global", "setImmediate", "tf", "seedrandom", "alea"];
    const words = `typeof tf.layers.dense, ...${JSON.stringify(names)}.filter((n) => n in self)`;
    assert.equal(await toldBy(models, words), "function");
    const { weights } = await models.ask("initialise", { source: SOURCE, seed: 1 });
    assert.ok(decodeWeights(weights).values.some((weight) => weight !== 0));
    assert.equal(await toldBy(models, words), "function");
  }));

Deno.test("a model worker's kernels compute as tfjs's do elsewhere", () =>
  withModelWorker(async (models) => {
    await startBackend();
    const { layers: _, ...core } = tf;
    const compute = ({ multinomial, matMul, tensor1d, ones }: typeof core) => [
      ...multinomial(tensor1d([0, 0, 0]), 9, 7).dataSync(),
      ...matMul(ones([2, 3]), ones([3, 2])).dataSync(),
    ];
    const told = await toldBy(models, `...(${compute})(tf)`);
    assert.equal(told, String(compute(tf)));
    assert.ok(told.endsWith(",3,3,3,3"));
  }));

Deno.test("what is expected to be asked is answered once", () =>
  withModelWorker(async (models) => {
    assert.equal(models.isIdle, true);
    models.expect("record", STEP);
    assert.equal(models.isIdle, false);
    const [first, second] = await Promise.all([
      models.ask("record", structuredClone(STEP)),
      models.ask("record", { ...STEP, size: 9 }),
    ]);
    assert.deepEqual([first.graph.samples, second.graph.samples], [8, 9]);
    assert.equal(models.isIdle, true);
    models.expect("record", STEP);
    models.expectNothing();
    // It is asked all the same, until it is answered.
    assert.equal(models.isIdle, false);
    await models.ask("record", STEP);
    assert.equal(models.isIdle, true);
  }));

Deno.test("a model worker practises and then answers as ever", () =>
  withModelWorker(async (models) => {
    const { graph, variables } = await models.ask("record", STEP);
    models.end(new FlotillaError("enough"));
    assert.equal(await models.ask("practise", null), null);
    const after = await models.ask("record", STEP);
    assert.deepEqual(after.variables, variables);
    assert.equal(graphText(after.graph), graphText(graph));
  }));

Deno.test("end() rejects what was asked, and the next question starts another worker", () =>
  withModelWorker(async (models) => {
    const modelPackage = packageOf({ "model.js": "export default () => { while (true); };" });
    const asked = models.ask("record", { ...STEP, source: { modelPackage, args: {} } });
    models.end(new FlotillaError("enough"));
    await assert.rejects(asked, /enough/);
    assert.equal((await models.ask("record", STEP)).graph.samples, 8);
  }));

Deno.test("practise() compiles its step", practise);
