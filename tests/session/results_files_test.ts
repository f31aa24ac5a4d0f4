import assert from "node:assert/strict";
import { encodeWeights, layoutOf } from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { fold } from "../../src/session/state.ts";
import { writeResults } from "../../src/session/write_results.ts";
import { failedRun, finishedRun } from "../fixtures/recorded_run.ts";

const CONTEXT = { arithmetic: {}, versions: {} };
const WEIGHTS = encodeWeights({
  layout: layoutOf([{ name: "dense/bias", shape: [2] }]),
  values: Float32Array.of(1.5, -2),
});

Deno.test("writeResults() writes every file, results.json last", async () => {
  const files = new Map<string, string | Uint8Array>();
  const results = await write(finishedRun, files);
  assert.deepEqual([...files.keys()], [
    "runs/x/model.safetensors",
    "runs/x/model/model.json",
    "runs/x/model/weights.bin",
    "runs/x/results.csv",
    "runs/x/accuracy.svg",
    "runs/x/log.jsonl",
    "runs/x/results.json",
  ]);
  assert.deepEqual(JSON.parse(files.get("runs/x/results.json") as string), results);
  assert.equal(files.get("runs/x/model/model.json"), `{"layers":1}`);
  assert.deepEqual(files.get("runs/x/model/weights.bin"), Uint8Array.of(2));
  const lines = (files.get("runs/x/log.jsonl") as string).trimEnd().split("\n");
  assert.deepEqual(lines.map((line) => JSON.parse(line)), finishedRun);
});

Deno.test("writeResults() writes the very bytes whose hash is the weights' id", async () => {
  const files = new Map<string, string | Uint8Array>();
  await write(finishedRun, files);
  const written = files.get("runs/x/model.safetensors") as Uint8Array;
  assert.equal(weightsId(written), weightsId(WEIGHTS.bytes));
});

Deno.test("writeResults() of a run without a model writes the rest and names none", async () => {
  const files = new Map<string, string | Uint8Array>();
  const results = await write(failedRun, files, false);
  assert.equal(results.final, null);
  assert.deepEqual([...files.keys()].filter((path) => path.includes("model")), []);
  assert.equal(files.size, 4);
});

function write(
  journal: typeof finishedRun,
  files: Map<string, string | Uint8Array>,
  trained = true,
) {
  return writeResults({
    folder: "runs/x",
    state: fold(journal)!,
    journal,
    model: trained ? { topology: { layers: 1 }, weights: WEIGHTS.bytes } : null,
    context: CONTEXT,
    modelFiles: (topology, { values }) => ({
      files: {
        "model.json": JSON.stringify(topology),
        "weights.bin": Uint8Array.of(values.length),
      },
    }),
    writeFile(path, content) {
      files.set(path, content);
      return Promise.resolve();
    },
  });
}
