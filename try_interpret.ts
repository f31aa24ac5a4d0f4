import { build, SAMPLE_MODELS, sampleBatch, eagerStepper, weightsOf, batchLast } from "./tests/training/step/sample_models.ts";
import { recordStep } from "./src/training/step/record.ts";
import { interpretStep } from "./src/training/step/interpret.ts";
import { reachable, graphText } from "./src/training/step/graph.ts";
import { seeded } from "./src/core/prng.ts";
Error.stackTraceLimit=60;
const only = Deno.args[0];
for (const name of Object.keys(SAMPLE_MODELS)) {
  if (only && only !== name) continue;
  try {
    const built = build(name);
    const loss = "crossentropy";
    const settings = { loss, optimizer: "sgd", optimizerArgs: {} };
    const N = 5, L = 8, lr = 0.05;
    const t0 = performance.now();
    const rec = recordStep(built, settings, N, true);
    const ms = performance.now() - t0;
    if (only) console.log(graphText(rec.graph));
    const vars = rec.variables.map((d, i) => i < built.model.weights.length ? weightsOf(built)[i]! : new Float32Array(d.reduce((a, b) => a * b, 1)));
    const step = eagerStepper(built, settings, lr);
    const prng = seeded(3);
    let worst = 0;
    for (let s = 0; s < 20; s++) {
      const b = sampleBatch(built, N, prng);
      const e = step(b);
      const got = interpretStep(rec.graph, L, { inputs: { items: batchLast(b.items, N, L), labels: batchLast(b.labels, N, L), targets: batchLast(b.targets, N, L) }, variables: vars, scalars: { "learning rate": lr }, random: Math.random });
      worst = Math.max(worst, Math.abs(e - got.loss) / Math.abs(e));
    }
    let w = 0; weightsOf(built).forEach((e, i) => e.forEach((v, j) => w = Math.max(w, Math.abs(v - vars[i]![j]!))));
    console.log(name.padEnd(24), "values", reachable(rec.graph).length, "record ms", ms.toFixed(1), "loss err", worst.toExponential(1), "weight err", w.toExponential(1));
  } catch (e) { console.log(name.padEnd(24), "FAIL", only ? (e as Error).stack : (e as Error).message); }
}
