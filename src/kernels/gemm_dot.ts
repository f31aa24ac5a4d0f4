/**
 * Matrix product of two operands that are both contiguous along the summed axis:
 * C(m, n) = sum over k of A[m][k] * B[n][k]: 2 m n k FLOP.
 *
 * For weight gradients whose sum runs over pixels and samples (1x1 convolutions), where a
 * transposed copy would be as large as the activations. Register tile: 6 rows of A x 2 of B, a
 * vector of partial sums each (12 sums, 2 of B, 1 of A), 5 x 2 without fused multiply-add. The
 * lanes are summed at the end of a block of k, so for a short k `gemm` with a transposed operand
 * is better. Blocks of k keep all rows in the second-level cache.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { Local } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import {
  pairSum,
  storeSums,
  type SumEpilogue,
  sumEpilogueKey,
  sumEpilogueOperands,
} from "./lane_sums.ts";
import { range, splitEvenly } from "./tiles.ts";

/** Extents and strides of a product; strides count floats. */
export interface GemmDotShape {
  readonly m: number;
  readonly n: number;
  /** A multiple of 4. */
  readonly k: number;
  /** From A(m, k) to A(m + 1, k). */
  readonly aRow: number;
  /** From B(n, k) to B(n + 1, k). */
  readonly bRow: number;
  /** From C(m, n) to C(m + 1, n). */
  readonly cRow: number;
  /** From C(m, n) to C(m, n + 1). @default 1 */
  readonly cColumn?: number;
  /** @default the plain sums */
  readonly epilogue?: SumEpilogue;
}

const UNROLL = 8;
/** Rows of A and B together that stay in the second-level cache. */
const BLOCK_BYTES = 192 * 1024;
const ZERO = f32x4.const(0);

/** Operands `a`, `b`, `c`, then `scale` if it is an operand. Throws RangeError if k is odd. */
export function gemmDot(module: ModuleBuilder, shape: GemmDotShape): Kernel {
  const { m, n, k, aRow, bRow, cRow, cColumn = 1, epilogue = {} } = shape;
  if (k % 4 !== 0) throw new RangeError(`Cannot sum over k = ${k} as it is no multiple of 4`);
  const block = Math.max(256, Math.floor(BLOCK_BYTES / (m + n) / 4 / 64) * 64);
  return defineKernel(module, {
    key: `gemm dot ${[m, n, k, aRow, bRow, cRow, cColumn, sumEpilogueKey(epilogue)]}`,
    params: ["a", "b", "c", ...sumEpilogueOperands(epilogue)],
    flops: 2 * m * n * k,
    build(f, args) {
      if (k > block) return sumBlocks(f, args);
      const scale = args.scale === undefined ? undefined : f.let(v128.load32Splat(args.scale));
      // Two rows of B stay in the first-level cache while all rows of A pass by.
      for (const columns of splitEvenly(n, 2)) {
        f.loop(columns.count, () => {
          const a = f.let(args.a), c = f.let(args.c);
          for (const rows of splitEvenly(m, module.arithmetic === "fused" ? 6 : 5)) {
            f.loop(rows.count, () => {
              dotTile(f, { ...shape, m: rows.size, n: columns.size }, { ...args, a, c }, scale);
              f.bump(a, rows.size * aRow * 4);
              f.bump(c, rows.size * cRow * 4);
            });
          }
          f.bump(args.b, columns.size * bRow * 4);
          f.bump(args.c, columns.size * cColumn * 4);
        });
      }
    },
  });

  /** The product as a sum of products over blocks of k, each added to C by the one before. */
  function sumBlocks(f: FunctionBuilder, args: DotPointers): void {
    const more = { ...epilogue, accumulate: true };
    const first = gemmDot(module, { ...shape, k: block });
    const next = gemmDot(module, { ...shape, k: block, epilogue: more });
    const addBlock = ({ func }: Kernel) => {
      f.call(func, args.a, args.b, args.c, ...(args.scale === undefined ? [] : [args.scale]));
      f.bump(args.a, block * 4);
      f.bump(args.b, block * 4);
    };
    addBlock(first);
    f.loop(Math.floor(k / block) - 1, () => addBlock(next));
    const rest = k % block;
    if (rest > 0) addBlock(gemmDot(module, { ...shape, k: rest, epilogue: more }));
  }
}

type DotPointers = Record<"a" | "b" | "c", Local<"i32">> & { scale?: Local<"i32"> };

function dotTile(
  f: FunctionBuilder,
  { m, n, k, aRow, bRow, cRow, cColumn = 1, epilogue = {} }: GemmDotShape,
  at: DotPointers,
  scale: Local<"v128"> | undefined,
): void {
  const sums = range(m).map(() => range(n).map(() => f.let(ZERO)));
  const a = f.let(at.a), b = f.let(at.b);
  f.unrolledLoop(k / 4, UNROLL, () => {
    const columns = range(n).map((j) => f.let(v128.load(b, j * bRow * 4)));
    for (const [i, row] of sums.entries()) {
      const factor = f.let(v128.load(a, i * aRow * 4));
      for (const [j, sum] of row.entries()) f.accumulate(sum, factor, columns[j]!);
    }
    f.bump(a, 16);
    f.bump(b, 16);
  });
  for (const [i, row] of sums.entries()) {
    const total = pairSum(f, row[0]!, row[n - 1]!);
    const places = range(n).map((j) => (i * cRow + j * cColumn) * 4);
    storeSums(f, epilogue, total, at.c, places, scale);
  }
}
