/** Sums over the lanes of vectors, several vectors at a time, and stores of such sums. */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { f32, f32x4, v128 } from "./emitter/instructions.ts";
import type { Local, V128 } from "./emitter/value.ts";
import { range } from "./tiles.ts";

/** What is done with a sum: `C = scale * sum`, or `C += scale * sum`. */
export interface SumEpilogue {
  /** @default false */
  readonly accumulate?: boolean;
  /** A constant factor, or operand `scale`: the address of one float. @default 1 */
  readonly scale?: number | "operand";
}

export function sumEpilogueKey({ accumulate = false, scale = 1 }: SumEpilogue): string {
  return `${accumulate ? "acc" : ""}:${scale}`;
}

/** The names of an epilogue's own operands. */
export function sumEpilogueOperands({ scale }: SumEpilogue): "scale"[] {
  return scale === "operand" ? ["scale"] : [];
}

/** Lanes 0 and 1: the sums over the lanes of `a` and of `b`. */
export function pairSum(f: FunctionBuilder, a: V128, b: V128): V128 {
  const halves = f.let(
    f32x4.add(f32x4.shuffle(a, b, 0, 4, 1, 5), f32x4.shuffle(a, b, 2, 6, 3, 7)),
  );
  return f32x4.add(halves, f32x4.shuffle(halves, halves, 2, 3, 0, 1));
}

/** Lane i: the sum over the lanes of `vectors[i]`, for 1 to 4 vectors. */
export function quadSum(f: FunctionBuilder, vectors: readonly V128[]): V128 {
  const [a, b = a, c = a, d = a] = vectors as readonly [V128, ...V128[]];
  const halves = (x: V128, y: V128) =>
    f.let(f32x4.add(f32x4.shuffle(x, y, 0, 4, 1, 5), f32x4.shuffle(x, y, 2, 6, 3, 7)));
  const ab = halves(a, b), cd = halves(c, d);
  return f32x4.add(f32x4.shuffle(ab, cd, 0, 1, 4, 5), f32x4.shuffle(ab, cd, 2, 3, 6, 7));
}

/** Stores lanes 0 .. `places.length - 1` of a vector of sums at these offsets, in bytes. */
export function storeSums(
  f: FunctionBuilder,
  epilogue: SumEpilogue,
  sums: V128,
  c: Local<"i32">,
  places: readonly number[],
  scale: V128 | undefined,
): void {
  const { scale: factor = 1 } = epilogue;
  const by = scale ?? (factor === 1 ? undefined : f32x4.const(Number(factor)));
  const result = f.let(by === undefined ? sums : f32x4.mul(sums, by));
  for (const [lane, offset] of places.entries()) {
    const value = f32x4.extractLane(result, lane);
    f.store(c, epilogue.accumulate === true ? f32.add(f32.load(c, offset), value) : value, offset);
  }
}

/** Floats of `dw`, in rows that lie apart. */
export interface SumRows {
  readonly rows: number;
  /** Floats of a row. */
  readonly length: number;
  /** Floats from one row to the next. */
  readonly stride: number;
}

/** Where sums of a part of the output channels belong among those of all. */
export function partialSums(sums: number, part: number, outputChannels: number): SumRows {
  return part === outputChannels
    ? { rows: 1, length: sums, stride: sums }
    : { rows: sums / part, length: part, stride: outputChannels };
}

/** Sums the lanes of each of the vectors in scratch, which follow each other, into one float of `dw`. */
export function storeLaneSums(
  f: FunctionBuilder,
  args: Record<"dw" | "scratch", Local<"i32">> & { scale?: Local<"i32"> },
  { rows, length, stride }: SumRows,
  epilogue: SumEpilogue,
): void {
  const scale = args.scale && f.let(v128.load32Splat(args.scale));
  const store = (present: number) => {
    const vectors = range(present).map((i) => f.let(v128.load(args.scratch, i * 16)));
    storeSums(f, epilogue, quadSum(f, vectors), args.dw, range(present).map((i) => i * 4), scale);
    f.bump(args.scratch, present * 16);
    f.bump(args.dw, present * 4);
  };
  f.loop(rows, () => {
    f.loop(Math.floor(length / 4), () => store(4));
    if (length % 4 > 0) store(length % 4);
    f.bump(args.dw, (stride - length) * 4);
  });
}
