/** The kernels of dense layers and their gradients. */
import {
  gemm,
  isLargeProduct,
  type ModuleBuilder,
  packPays,
  transpose,
} from "../../kernels/mod.ts";
import { type Operation, sizeOf, type Value } from "./graph.ts";
import {
  blocksOf,
  epilogueOf,
  type KernelUse,
  operandsBy,
  type OutputRange,
  RESULT,
  type Store,
} from "./kernel_use.ts";

/** A product for each row of the items. */
export function dense(
  module: ModuleBuilder,
  { inputs, dims }: Value,
  { part, finish }: Operation & { readonly kind: "dense" },
  lanes: number,
  store: Store,
  count: number,
  outputs: OutputRange | undefined,
  blocks: number,
): KernelUse[] {
  const x = inputs[0]!.dims;
  const rows = sizeOf(x.slice(0, -1));
  const k = x.at(-1)!;
  const n = part === "weightGradient" ? inputs[1]!.dims.at(-1)! : dims.at(-1)!;
  const calls: KernelUse[] = [];
  for (let row = 0; row < rows; row++) {
    const own = lanes / blocks;
    const from = { of: 0, offset: row * k * own * 4 };
    if (part === "weightGradient") {
      // The gradient of the outputs is turned to [batch][outputs], so that the sum over samples
      // is that of an ordinary product.
      const turned = transpose(module, { rows: n, columns: own });
      const accumulate = store.update || row > 0;
      const { first, count: m } = outputs ?? { first: 0, count: k };
      const kernel = gemm(module, {
        byPanels: isLargeProduct({ m: k, n, k: lanes }),
        ...{ m, n, k: lanes, aRow: own, aDepth: 1, bDepth: n, cRow: n, pack: packPays(k) },
        ...(blocks > 1 ? { aBlocks: blocksOf(inputs[0]!, lanes, blocks) } : {}),
        epilogue: { accumulate, ...(store.update ? { scale: "operand" as const } : {}) },
      });
      const { stride } = blocksOf(inputs[1]!, lanes, blocks);
      for (let block = 0; block < blocks; block++) {
        const second = { of: 1, offset: (block * stride + row * n * own) * 4 };
        const target = { of: "second scratch", offset: block * own * n * 4 } as const;
        calls.push({ kernel: turned, operands: [second, target] });
      }
      const names = {
        a: { ...from, offset: from.offset + first * own * 4 },
        b: { of: "second scratch" } as const,
        c: { ...RESULT, offset: first * n * 4 },
      };
      calls.push({ kernel, operands: operandsBy(kernel, {}, names) });
    } else {
      const [aRow, aDepth] = part === "forward" ? [1, n] : [k, 1];
      const kernel = gemm(module, {
        // As for the whole batch, of which a thread has a part.
        byPanels: isLargeProduct({ m: n, n: lanes, k }),
        ...{ m: n, n: count, k, aRow, aDepth, bDepth: lanes, cRow: lanes },
        epilogue: epilogueOf(finish),
      });
      const offset = row * n * lanes * 4;
      const names = { a: { of: 1 }, b: from, c: { of: "result", offset } as const };
      const operands = operandsBy(kernel, finish, names).map((operand, i) =>
        kernel.params[i] === "mask" ? { ...operand, offset } : operand
      );
      calls.push({ kernel, operands });
    }
  }
  return calls;
}
