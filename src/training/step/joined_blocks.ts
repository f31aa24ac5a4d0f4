/** Sums over a batch in blocks by kernels that know of none: its blocks are joined in scratch before. */
import { copy, type ModuleBuilder } from "../../kernels/mod.ts";
import { blockPlaces } from "./blocks.ts";
import { sizeOf, type Value } from "./graph.ts";
import type { KernelUse } from "./kernel_use.ts";

/** Bytes of second scratch that the batched inputs of a value take. */
export function joinedBytes({ inputs }: Value, lanes: number): number {
  return inputs.reduce(
    (sum, { dims, batched }) => sum + (batched ? sizeOf(dims) * lanes * 4 : 0),
    0,
  );
}

/**
 * Calls that join the batched inputs of a value, then the given ones, which take the inputs from
 * there.
 *
 * @param uses calls that use no second scratch of their own
 */
export function joinedUses(
  module: ModuleBuilder,
  { inputs }: Value,
  lanes: number,
  blocks: number,
  uses: readonly KernelUse[],
): KernelUse[] {
  const copies: KernelUse[] = [];
  const places = new Map<unknown, number>();
  let top = 0;
  for (const [of, { dims, batched }] of inputs.entries()) {
    if (!batched) continue;
    const numbers = sizeOf(dims);
    places.set(of, top);
    for (const { first, count, start } of blockPlaces(0, numbers, lanes, blocks)) {
      const kernel = copy(module, {
        ...{ sizes: [numbers], fromStrides: [count], toStrides: [lanes], run: count },
      });
      const to = { of: "second scratch", offset: top + first * 4 } as const;
      copies.push({ kernel, operands: [{ of, offset: start * 4 }, to] });
    }
    top += numbers * lanes * 4;
  }
  const moved = uses.map(({ kernel, operands }) => ({
    kernel,
    operands: operands.map((operand) => {
      const place = places.get(operand.of);
      return place === undefined
        ? operand
        : { of: "second scratch", offset: place + (operand.offset ?? 0) } as const;
    }),
  }));
  return [...copies, ...moved];
}
