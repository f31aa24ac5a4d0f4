/** FedAvg over 100 updates of a million floats: bytes of updates read in a second. */
import { fedavg } from "../src/aggregation/fedavg.ts";
import { UPDATES_A_PASS } from "../src/aggregation/sum_memory.ts";
import { encodeWeights, layoutOf } from "../src/core/weights.ts";
import { ModuleBuilder, weightedSum } from "../src/kernels/mod.ts";
import { updateReader } from "../src/session/update_reader.ts";
import { openStore } from "../src/state/open.ts";
import type { StoreOptions } from "../src/state/store.ts";
import { median } from "./processes.ts";
import { torchNumber } from "./peers/torch.ts";
import { report } from "./report.ts";

const CLIENTS = 100;
const FLOATS = 1_000_000;
/** Floats that the bare kernel adds up before it goes on. */
const TILE = 64 * 1024;
const BYTES = CLIENTS * FLOATS * 4;

/** Measures and prints. */
export async function aggregation(): Promise<void> {
  const torch = await torchNumber("torch_weighted_sum.py", CLIENTS, FLOATS);
  // Either will do: 8 GB/s, or 0.7 of PyTorch.
  const bar = torch === null ? 8 : Math.min(8, 0.7 * torch);
  const folder = await Deno.makeTempDir();
  try {
    const rates = {
      "WebAssembly memory": kernelRate(),
      "the memory store": await storeRate({ kind: "memory" }),
      "files": await storeRate({ kind: "sqlite", folder }),
    };
    for (const [where, value] of Object.entries(rates)) {
      const ratio = torch === null ? "" : `, ${(value / torch).toFixed(2)} of PyTorch`;
      const what = `weighted sum of 100 x 1 M floats in ${where}${ratio}`;
      const own = where === "files" ? 3 : bar;
      report({ what, value, unit: "GB/s", bar: Number(own.toFixed(1)), moreIsBetter: true });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The kernel alone, on 100 updates that all lie where it reads them: nothing is copied. */
function kernelRate(): number {
  const passes = CLIENTS / UPDATES_A_PASS;
  const resultAt = FLOATS * 8, sharesAt = resultAt + FLOATS * 4, updatesAt = sharesAt + 64;
  const memory = new WebAssembly.Memory({ initial: Math.ceil((updatesAt + BYTES) / 65536) });
  new Float32Array(memory.buffer, updatesAt).fill(0.5);
  new Float64Array(memory.buffer, sharesAt, UPDATES_A_PASS).fill(1 / CLIENTS);
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const shape = { updates: UPDATES_A_PASS, isFirst: false, isLast: false };
  module.export("add", weightedSum(module, shape).func);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    env: { memory },
  });
  const add = instance.exports["add"] as (...args: number[]) => void;
  const seconds = Array.from({ length: 6 }, () => {
    const start = performance.now();
    for (let at = 0; at < FLOATS; at += TILE) {
      const floats = Math.min(TILE, FLOATS - at);
      for (let pass = 0; pass < passes; pass++) {
        const updates = Array.from(
          { length: UPDATES_A_PASS },
          (_, i) => updatesAt + ((pass * UPDATES_A_PASS + i) * FLOATS + at) * 4,
        );
        add(at * 8, resultAt + at * 4, sharesAt, ...updates, floats);
      }
    }
    return (performance.now() - start) / 1000;
  });
  return BYTES / median(seconds.slice(1)) / 1e9;
}

/** A strategy on updates in a store, as a round has it. */
async function storeRate(options: StoreOptions): Promise<number> {
  const store = await openStore(options);
  const layout = layoutOf([{ name: "w", shape: [FLOATS] }]);
  const updates = [];
  for (let c = 0; c < CLIENTS; c++) {
    const values = new Float32Array(FLOATS).map((_, i) => Math.sin(i + c));
    const { id } = await store.blobs.put(encodeWeights({ layout, values }).bytes);
    const client = { id: `${c}`, name: `c_${c}` };
    updates.push({ client, round: 1, group: null, samples: c + 1, weights: id });
  }
  const result = new Float32Array(FLOATS);
  const seconds: number[] = [];
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    const read = updateReader(store.blobs);
    const input = {
      ...{ global: { layout, values: result }, round: 1, updates, read, state: {}, kept: [] },
      readKept: () => Promise.reject(new TypeError("nothing is kept")),
      keep: () => Promise.resolve(),
    };
    await fedavg.aggregate(input, {}, result);
    seconds.push((performance.now() - start) / 1000);
  }
  await store.close();
  return BYTES / median(seconds.slice(1)) / 1e9;
}
