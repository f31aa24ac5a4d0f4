/** FedAvg over 100 updates of a million floats in memory: bytes of updates read in a second. */
import { fedavg } from "../src/aggregation/fedavg.ts";
import { layoutOf } from "../src/core/weights.ts";
import { median } from "./processes.ts";
import { report } from "./report.ts";

const CLIENTS = 100;
const FLOATS = 1_000_000;

/** Measures and prints. */
export async function aggregation(): Promise<void> {
  const layout = layoutOf([{ name: "w", shape: [FLOATS] }]);
  const values = Array.from(
    { length: CLIENTS },
    (_, c) => new Float32Array(FLOATS).map((_, i) => Math.sin(i + c)),
  );
  const updates = values.map((_, c) => ({
    client: { id: `${c}`, name: `c_${c}` },
    round: 1,
    group: null,
    samples: c + 1,
    weights: `${c}`,
  }));
  const result = new Float32Array(FLOATS);
  const seconds: number[] = [];
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    await fedavg.aggregate(
      {
        global: { layout, values: result },
        round: 1,
        updates,
        read: ({ weights }, from, to) =>
          Promise.resolve(values[Number(weights)]!.subarray(from, to)),
        state: {},
        kept: [],
        readKept: () => Promise.reject(new TypeError("nothing is kept")),
        keep: () => Promise.resolve(),
      },
      {},
      result,
    );
    seconds.push((performance.now() - start) / 1000);
  }
  report({
    what: "FedAvg: 100 updates of 1 M floats, update bytes read",
    value: CLIENTS * FLOATS * 4 / median(seconds.slice(1)) / 1e9,
    unit: "GB/s",
    bar: 3,
    moreIsBetter: true,
  });
}
