/**
 * Loops over a number of elements that is known only at the call, as one module serves models of
 * every size: most of them a block at a time, the last few one by one.
 */
import type { FunctionBuilder } from "./emitter/function_builder.ts";
import { i32, v128 } from "./emitter/instructions.ts";
import type { I32, I32Like, V128 } from "./emitter/value.ts";

/** What a loop does for each block of elements and for each one that is left over. */
export interface ElementLoop {
  /** Elements of a block: a power of two. */
  readonly block: number;
  /** Works on a block and moves the pointers on. */
  readonly many: () => void;
  /** As `many`, on one element. */
  readonly one: () => void;
}

/** Runs over `elements`, whole blocks first. */
export function forElements(f: FunctionBuilder, elements: I32, loop: ElementLoop): void {
  f.loop(i32.shrU(elements, Math.log2(loop.block)), loop.many);
  f.loop(i32.and(elements, loop.block - 1), loop.one);
}

/** Two neighbouring floats, or one, in the first lanes of a vector; zero in the others. */
export function loadFloats(count: 1 | 2, pointer: I32Like, offset = 0): V128 {
  return count === 2 ? v128.load64Zero(pointer, offset) : v128.load32Zero(pointer, offset);
}

/** Writes the first two floats of a vector, or the first one. */
export function storeFloats(
  f: FunctionBuilder,
  count: 1 | 2,
  pointer: I32Like,
  value: V128,
  offset = 0,
): void {
  f.storeLane(count === 2 ? 64 : 32, pointer, value, 0, offset);
}

/** As {@link forElements}, for a body that handles two elements or one, `at` behind the pointers. */
export function forFloats(
  f: FunctionBuilder,
  elements: I32,
  body: (count: 1 | 2, at: number) => void,
  advance: (count: number) => void,
): void {
  const block = 4;
  forElements(f, elements, {
    block,
    many() {
      for (let at = 0; at < block; at += 2) f.scope(() => body(2, at));
      advance(block);
    },
    one() {
      f.scope(() => body(1, 0));
      advance(1);
    },
  });
}
