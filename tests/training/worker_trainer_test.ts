/** The public trainer: training, determinism, permissions, cancellation and crashes. */
import assert from "node:assert/strict";
import { untilWorkers } from "../fixtures/worker_threads.ts";
import { sha256 } from "../../src/core/model_package.ts";
import { DataError, FlotillaError, ModelError, WeightsError } from "../../src/core/errors.ts";
import { decodeWeights } from "../../src/core/weights.ts";
import { arithmeticFor } from "../../src/training/chosen_arithmetic.ts";
import { createWorkerTrainer } from "../../src/training/worker_trainer.ts";
import {
  LINEAR,
  linearRequest,
  never,
  notCompilable,
  packageOf,
  SETTINGS,
  withTrainer,
  writeHalves,
} from "./tiny.ts";

const ignore = () => {};

Deno.test("train() separates two halves and reports what it did", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { epochs: 10 });
    const { metrics, samples, weights } = await trainer.train(request, ignore, never);
    // 95 of 100 items train, 24 batches of 4 an epoch, the last one of 3.
    assert.equal(samples, 95);
    assert.equal(metrics.miniBatches, 240);
    assert.equal(metrics.epochs, 10);
    assert.equal(metrics.test?.samples, 5);
    assert.equal(metrics.test?.accuracy, 1);
    assert.ok(metrics.loss > 0 && metrics.loss < 0.5, String(metrics.loss));
    assert.ok(metrics.accuracy! > 0.9);
    assert.deepEqual(decodeWeights(weights).layout.map(({ name }) => name), [
      "dense_1/kernel",
      "dense_1/bias",
    ]);
  }));

for (const arithmetic of ["auto", "portable"] as const) {
  Deno.test(`train() reports the arithmetic that ${arithmetic} comes to`, () =>
    withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 20);
      const request = await linearRequest(trainer, folder);
      const { metrics } = await trainer.train(request, ignore, never);
      assert.equal(metrics.arithmetic, arithmeticFor(arithmetic));
    }, { engine: { arithmetic } }));
}

Deno.test("train() gives the same bytes on 1 and 2 threads, which it reports", async () => {
  const results: string[] = [];
  for (const threads of [1, 2]) {
    await withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 100);
      const request = await linearRequest(trainer, folder, { batchSize: 16 });
      const { weights, metrics } = await trainer.train(request, ignore, never);
      assert.equal(metrics.threads, threads);
      results.push(sha256(weights));
    }, { engine: { arithmetic: "auto", threads } });
  }
  assert.equal(results[0], results[1]);
});

Deno.test("train() on more threads than cores says so once", async () => {
  const notices: string[] = [];
  const cores = navigator.hardwareConcurrency;
  await withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { batchSize: 4 * (cores + 1) });
    for (let round = 0; round < 2; round++) {
      const { metrics } = await trainer.train(request, ignore, never);
      assert.equal(metrics.threads, cores + 1);
    }
  }, {
    engine: { arithmetic: "auto", threads: cores + 1 },
    onNotice: (text) => void notices.push(text),
  });
  assert.equal(notices.length, 1, notices.join("\n"));
  assert.match(notices[0]!, new RegExp(`${cores + 1} threads on ${cores} cores`));
});

Deno.test({
  name: "threads of a step end with their model, and with close()",
  ignore: Deno.build.os !== "linux",
  async fn() {
    // In a process of its own, as other tests have workers too.
    const program = new URL("../fixtures/step_threads_end.ts", import.meta.url).pathname;
    const command = new Deno.Command(Deno.execPath(), { args: ["run", "-q", "-A", program] });
    const { success, stderr } = await command.output();
    assert.ok(success, new TextDecoder().decode(stderr));
  },
});

Deno.test("train() gives the same bytes in two fresh trainers, and others for another seed", async () => {
  const results: string[] = [];
  for (const seed of [2, 2, 9]) {
    await withTrainer(async (trainer, folder) => {
      await writeHalves(folder, 100);
      const request = { ...await linearRequest(trainer, folder), seed };
      const first = await trainer.train(request, ignore, never);
      const again = await trainer.train(request, ignore, never);
      assert.equal(sha256(again.weights), sha256(first.weights));
      results.push(sha256(first.weights));
    });
  }
  assert.equal(results[1], results[0]);
  assert.notEqual(results[2], results[0]);
});

Deno.test("initialise() gives the same bytes and names whatever was built before", () =>
  withTrainer(async (trainer) => {
    const source = { modelPackage: LINEAR, args: {} };
    const first = await trainer.initialise(source, 5);
    const second = await trainer.initialise(source, 5);
    const other = await trainer.initialise(source, 6);
    assert.deepEqual(second, first);
    assert.notDeepEqual(other.weights, first.weights);
    assert.deepEqual(first.inputShape, [2, 2, 1]);
    assert.deepEqual(first.outputShape, [2]);
  }));

Deno.test("train() draws dropout from the seed", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 40);
    const modelPackage = packageOf({
      "model.js": `export default ({ tf }) => tf.sequential({ layers: [
        tf.layers.flatten({ inputShape: [2, 2, 1] }),
        tf.layers.dropout({ rate: 0.5 }),
        tf.layers.dense({ units: 2 }),
      ] });`,
    });
    const request = { ...await linearRequest(trainer, folder), modelPackage };
    const first = await trainer.train(request, ignore, never);
    const again = await trainer.train(request, ignore, never);
    const plain = await trainer.train({ ...request, modelPackage: LINEAR }, ignore, never);
    assert.equal(sha256(again.weights), sha256(first.weights));
    assert.notEqual(sha256(plain.weights), sha256(first.weights));
  }));

Deno.test("train() stops at the limit of mini-batches, within an epoch", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { epochs: 3, maxMiniBatches: 30 });
    const { metrics } = await trainer.train(request, ignore, never);
    assert.equal(metrics.miniBatches, 30);
    assert.equal(metrics.epochs, 30 / 24);
  }));

Deno.test("train() stops at the time limit with what it has", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, {
      epochs: 1_000_000,
      timeLimitSeconds: 0.3,
    });
    const { metrics } = await trainer.train(request, ignore, never);
    assert.ok(metrics.miniBatches > 0 && metrics.miniBatches < 24_000_000);
    assert.ok(metrics.trainSeconds >= 0.3 && metrics.trainSeconds < 5);
  }));

Deno.test("train() reports progress at most ten times a second, and at the end", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, {
      epochs: 1_000_000,
      timeLimitSeconds: 0.5,
    });
    const reports: { batchesDone: number; batchesTotal: number; loss: number | null }[] = [];
    const { metrics } = await trainer.train(request, (p) => reports.push(p), never);
    assert.ok(reports.length >= 2 && reports.length <= 7, String(reports.length));
    assert.equal(reports.at(-1)!.batchesDone, metrics.miniBatches);
    assert.equal(reports.at(-1)!.loss, metrics.loss);
    assert.equal(reports[0]!.batchesTotal, 24_000_000);
  }));

Deno.test("train() rejects with the signal's reason soon after an abort, and works again", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { epochs: 1_000_000 });
    const abort = new AbortController();
    const reason = new Error("the session was stopped");
    let abortedMs = 0;
    const stopped = trainer.train(request, () => {
      abortedMs ||= performance.now();
      abort.abort(reason);
    }, abort.signal);
    await assert.rejects(stopped, (error) => error === reason);
    assert.ok(performance.now() - abortedMs < 1000);
    const { metrics } = await trainer.train({ ...request, settings: SETTINGS }, ignore, never);
    assert.equal(metrics.miniBatches, 24);
  }));

Deno.test("train() of a slow device sleeps within its time limit, and counts the sleep", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const endless = { epochs: 1_000_000, timeLimitSeconds: 0.6 };
    const request = await linearRequest(trainer, folder, endless);
    const told: number[] = [];
    const { metrics } = await trainer.train(
      { ...request, slowdown: 10 },
      ({ batchesDone }) => told.push(batchesDone),
      never,
    );
    assert.ok(metrics.trainSeconds >= 0.6 && metrics.trainSeconds < 5, `${metrics.trainSeconds}`);
    assert.equal(told.at(-1), metrics.miniBatches, "told before the end");
  }));

Deno.test("train() and evaluate() of a slow device hold up no other call, and end their sleep", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder);
    const { settings, seed: _seed, ...same } = request;
    const { batchSize, loss } = settings;
    const abort = new AbortController();
    // Hours of sleep after milliseconds of work.
    const slow = [
      trainer.train({ ...request, slowdown: 1e9 }, ignore, abort.signal),
      trainer.evaluate({ ...same, batchSize, loss, slowdown: 1e9 }, abort.signal),
    ];
    const endings = Promise.allSettled(slow);
    const { metrics } = await trainer.train(request, ignore, never);
    assert.equal(metrics.miniBatches, 24);
    const reason = new Error("the leader has moved on");
    abort.abort(reason);
    for (const ending of await endings) {
      assert.ok(ending.status === "rejected" && ending.reason === reason);
    }
    const sleeping = trainer.train({ ...request, slowdown: 1e9 }, ignore, never);
    const closed = assert.rejects(sleeping, /Cannot use a trainer that was closed/);
    await trainer.train(request, ignore, never);
    trainer.close();
    await closed;
  }));

Deno.test("train() refuses weights of another model, and NaN among them", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const other = await trainer.initialise({ modelPackage: LINEAR, args: { units: 3 } }, 1);
    await assert.rejects(
      trainer.train({ ...request, weights: other.weights }, ignore, never),
      (error) => error instanceof WeightsError && /"dense_1\/kernel" \[4,3\]/.test(error.message),
    );
    const poisoned = decodeWeights(request.weights.slice());
    poisoned.values[5] = NaN;
    await assert.rejects(
      trainer.train({ ...request, weights: poisoned.bytes }, ignore, never),
      (error) =>
        error instanceof WeightsError && /NaN in tensor "dense_1\/kernel"/.test(error.message),
    );
  }));

Deno.test("train() names a loss that is no longer a number", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder, {
      learningRate: 1e38,
      epochs: 50,
      optimizer: "momentum",
    });
    await assert.rejects(
      trainer.train(request, ignore, never),
      /ModelError: Cannot go on training on dataset .* as the crossentropy loss is (NaN|Infinity) at mini-batch \d+/,
    );
  }));

Deno.test("check() reports a dataset that cannot be read", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    await Deno.remove(`${folder}/labels`);
    const source = { modelPackage: LINEAR, args: {} };
    await assert.rejects(
      trainer.check(source, folder, "crossentropy"),
      (error) =>
        error instanceof DataError && /labels as there is no such file/.test(error.message),
    );
  }));

Deno.test("evaluate() measures all items, or the test split of a seed", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 100);
    const { settings: _, seed: __, splitSeed: ___, ...request } = await linearRequest(
      trainer,
      folder,
    );
    const { weights } = decodeWeightsOf(request.weights, [1, 0, 0, 1, 1, 0, 0, 1, 0, 0]);
    const all = { ...request, weights, batchSize: 7, loss: "crossentropy", splitSeed: null };
    const result = await trainer.evaluate(all, never);
    // Class 0: logits (255 + 250, 10 + 0) / 255; class 1: (0 + 20, 255 + 240) / 255.
    const loss = (Math.log1p(Math.exp(-495 / 255)) + Math.log1p(Math.exp(-475 / 255))) / 2;
    assert.equal(result.accuracy, 1);
    assert.equal(result.samples, 100);
    assert.ok(Math.abs(result.loss - loss) < 1e-6, `${result.loss} ${loss}`);
    assert.equal((await trainer.evaluate({ ...all, splitSeed: 1 }, never)).samples, 5);
  }));

function decodeWeightsOf(bytes: Uint8Array<ArrayBuffer>, values: readonly number[]) {
  const decoded = decodeWeights(bytes.slice());
  decoded.values.set(values);
  return { weights: decoded.bytes };
}

Deno.test("no job leaves tensors behind, not even one that fails", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const spy = packageOf({
      "model.js":
        "export default ({ tf }) => { throw new Error(`${tf.memory().numTensors} left`); }",
    });
    const nothingLeft = () =>
      assert.rejects(
        trainer.train({ ...request, modelPackage: spy }, ignore, never),
        /: 0 left$/,
      );
    await nothingLeft();
    for (const optimizer of ["sgd", "adam"]) {
      const settings = { ...SETTINGS, optimizer };
      await trainer.train({ ...request, settings }, ignore, never);
      await nothingLeft();
    }
    const diverging = { ...SETTINGS, learningRate: 1e38, epochs: 50, optimizer: "momentum" };
    await assert.rejects(trainer.train({ ...request, settings: diverging }, ignore, never));
    await nothingLeft();
    await trainer.evaluate(
      { ...request, batchSize: 7, loss: "crossentropy", splitSeed: null },
      never,
    );
    await nothingLeft();
    const half = packageOf({
      "model.js":
        "export default ({ tf }) => { tf.ones([3]); tf.layers.dense({ units: 2 }).build([null, 3]); }",
    });
    await assert.rejects(trainer.train({ ...request, modelPackage: half }, ignore, never));
    await nothingLeft();
  }));

Deno.test("a model's code can read no other file, no environment, no network and start nothing", () =>
  withTrainer(async (trainer) => {
    const attempts: Readonly<Record<string, RegExp>> = {
      'await Deno.readTextFile("/etc/passwd")': /Requires read access to "\/etc\/passwd"/,
      'await fetch("http://127.0.0.1:49151/")': /Requires net access/,
      'Deno.env.get("HOME")': /Requires env access/,
      'await new Deno.Command("id").output()': /Requires run access/,
      'await Deno.writeTextFile("/tmp/x", "")': /Requires write access/,
      "Deno.hostname()": /Requires sys access/,
      'process.getBuiltinModule("node:fs")': /process is not defined/,
      'eval("1")': /a model may not make code of text/,
      'new (async () => {}).constructor("1")': /may not make code of text/,
      'setTimeout("1", 0)': /may not make code of text/,
      "new WebAssembly.Module(new Uint8Array())": /a model may not use WebAssembly/,
      'new Worker("data:text/javascript,1", { type: "module" })': /may not make code of text/,
    };
    for (const [attempt, expected] of Object.entries(attempts)) {
      const modelPackage = packageOf({ "model.js": `export default async () => ${attempt};` });
      await assert.rejects(trainer.initialise({ modelPackage, args: {} }, 1), (error) => {
        assert.ok(error instanceof ModelError);
        assert.match(error.message, /^Cannot build the model of tiny\/model.js: /);
        assert.match(error.message, expected);
        return true;
      });
    }
  }));

for (
  const [statement, shown = statement] of [
    ['import x from "npm:left-pad@1.3.0";', 'import x from "npm:left-pad@1.3.0"'],
    ['import "npm:left-pad@1.3.0";', 'import "npm:left-pad@1.3.0"'],
    ['export * from "node:fs";', 'from "node:fs"'],
    ['await import("file:///etc/passwd", { with: { type: "text" } });', 'import("file:///etc/'],
    ['const one = "http://127.0.0.1:49151/x.js"; await import(one);', "import(one)"],
    ["await import/**/(`npm:left-pad`);", "import/**/(`npm:left-pad`)"],
  ]
) {
  Deno.test(`a model may not have the statement ${statement}`, () =>
    withTrainer(async (trainer) => {
      const code = `${statement} export default ({ tf }) => {};`;
      await assert.rejects(
        trainer.initialise({ modelPackage: packageOf({ "model.js": code }), args: {} }, 1),
        (error) => {
          assert.ok(error instanceof ModelError);
          assert.match(error.message, /^Cannot use tiny\/model.js as it imports \(/);
          assert.match(error.message, /: a model may import nothing but types/);
          assert.ok(error.message.includes(shown!), error.message);
          return true;
        },
      );
    }));
}

Deno.test("a model in TypeScript may import types, and read where it is", () =>
  withTrainer(async (trainer) => {
    const modelPackage = packageOf({
      "model.ts": `import type { ModelApi } from "../anywhere.ts";
        const here: string = import.meta.url;
        export default ({ tf }: ModelApi) =>
          tf.sequential({ layers: [tf.layers.dense({ units: here.length > 0 ? 2 : 3, inputShape: [4] })] });`,
    });
    const { outputShape } = await trainer.initialise({ modelPackage, args: {} }, 1);
    assert.deepEqual(outputShape, [2]);
  }));

Deno.test("a model's code that trains may not even read its dataset", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const spy = packageOf({
      "model.js": `export default async () => { await Deno.readFile("${folder}/images"); };`,
    });
    await assert.rejects(
      trainer.train({ ...request, modelPackage: spy }, ignore, never),
      (error) =>
        error instanceof ModelError &&
        error.message.includes(`Requires read access to "${folder}/images"`),
    );
  }));

Deno.test("a model that only tfjs can run may read its dataset's folder and not the one before", () =>
  withTrainer(async (trainer, folder) => {
    const [first, second] = [`${folder}/first`, `${folder}/second`];
    for (const each of [first, second]) {
      await Deno.mkdir(each);
      await writeHalves(each, 20);
    }
    const request = await linearRequest(trainer, first);
    await trainer.train({ ...request, modelPackage: notCompilable() }, ignore, never);
    const spy = notCompilable(`
      const mayRead = await Deno.readFile("${second}/images").then(() => true, () => false);
      if (mayRead) await Deno.readFile("${first}/images");
    `);
    await assert.rejects(
      trainer.train({ ...request, datasetFolder: second, modelPackage: spy }, ignore, never),
      (error) => error instanceof ModelError && error.message.includes(`"${first}/images"`),
    );
  }));

Deno.test("a model's code that runs beside the data finds Node's ways out closed", () =>
  withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const attempts: Readonly<Record<string, RegExp>> = {
      "process.exit(7);": /a model must not call exit\(\)/,
      "process.reallyExit(7);": /a model must not call reallyExit\(\)/,
      'process.getBuiltinModule("node:fs");': /a model may not make code of text/,
    };
    for (const [attempt, expected] of Object.entries(attempts)) {
      // Where there is no data there is no process.
      const modelPackage = notCompilable(`if ("process" in self) ${attempt}`);
      await assert.rejects(trainer.train({ ...request, modelPackage }, ignore, never), expected);
    }
  }));

for (
  const [what, [code, expected]] of Object.entries({
    "throws outside of its call": [
      'setTimeout(() => { throw new Error("late trouble"); }, 0); await new Promise(() => {});',
      /Model worker failed: .*late trouble/,
    ],
    "ends its worker": [
      "self.close();",
      /model of tiny\/model.js: a model must not call close\(\)/,
    ],
    "exits": ["Deno.exit(7);", /a model must not call exit\(\)/],
    "never comes back": ["while (true);", /Cannot build the model as it takes over 4 s/],
  } as Readonly<Record<string, [string, RegExp]>>)
) {
  Deno.test(`a model that ${what} is an error, and the next call works`, async () => {
    await withTrainer(async (trainer) => {
      const modelPackage = packageOf({ "model.js": `export default async () => { ${code} };` });
      await assert.rejects(
        trainer.initialise({ modelPackage, args: {} }, 1),
        (error) => error instanceof FlotillaError && expected.test(error.message),
      );
      const { inputShape } = await trainer.initialise({ modelPackage: LINEAR, args: {} }, 1);
      assert.deepEqual(inputShape, [2, 2, 1]);
    }, { buildLimitMs: 4000, abortGraceMs: 100 });
    // None is left behind in its loop.
    if (Deno.build.os === "linux") await untilWorkers(0, "busy");
  });
}

Deno.test("an abort while a model is being built ends its code, and the next call works", async () => {
  await withTrainer(async (trainer, folder) => {
    await writeHalves(folder, 20);
    const request = await linearRequest(trainer, folder);
    const modelPackage = packageOf({ "model.js": "export default () => { while (true); };" });
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error("enough")), 1000);
    await assert.rejects(
      trainer.train({ ...request, modelPackage }, ignore, abort.signal),
      /enough/,
    );
    const { samples } = await trainer.train(request, ignore, never);
    assert.equal(samples, 19);
    // Until then a training worker that did not heed the abort would be left alone.
  }, { abortGraceMs: 2 ** 30 });
  if (Deno.build.os === "linux") await untilWorkers(0, "busy");
});

Deno.test("close() rejects the calls in flight and those that come after", async () => {
  const folder = await Deno.makeTempDir();
  const trainer = createWorkerTrainer();
  try {
    await writeHalves(folder, 100);
    const request = await linearRequest(trainer, folder, { epochs: 1_000_000 });
    const started = Promise.withResolvers<void>();
    const training = trainer.train(request, () => started.resolve(), never);
    const queued = trainer.initialise(request, 1);
    await started.promise;
    trainer.close();
    await assert.rejects(training, /Cannot use a trainer that was closed/);
    await assert.rejects(queued, /Cannot use a trainer that was closed/);
    await assert.rejects(trainer.initialise(request, 1), /Cannot use a trainer that was closed/);
    // Its steps do not go on.
    if (Deno.build.os === "linux") await untilWorkers(0);
  } finally {
    trainer.close();
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("prepare() starts the worker of a dataset, and leaves what is wrong to the call", () =>
  withTrainer(async (trainer, folder) => {
    await trainer.prepare!(`${folder}/none`);
    await writeHalves(folder, 20);
    await trainer.prepare!(folder);
    const request = await linearRequest(trainer, folder);
    assert.equal((await trainer.train(request, ignore, never)).samples, 19);
    trainer.close();
    await trainer.prepare!(folder);
  }));
