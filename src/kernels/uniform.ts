/**
 * Uniform numbers in [0, 1) from four generators at once, one a lane: xoshiro128** (Blackman and
 * Vigna, 2018), of whose 32 bits a float takes the upper 24.
 */
import { f32x4, i32x4, v128 } from "./emitter/instructions.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import type { V128 } from "./emitter/value.ts";
import { defineKernel, type Kernel } from "./kernel.ts";
import type { Blocks } from "./tiles.ts";

/** Floats of the generators' state: [a, b, c, d][lane], whole numbers of 32 bits. */
export const UNIFORM_STATE = 16;

/** What is filled. */
export interface UniformShape {
  /** Rounded up to whole vectors. */
  readonly floats: number;
  /** All lanes of a vector get the number of its first one. */
  readonly alike: boolean;
  /** The blocks that the floats are spread over, row by row. @default all one after the other */
  readonly blocks?: Blocks & {
    /** Floats of a row in a block, a multiple of 4. */
    readonly row: number;
  };
}

/** Operands `state`, `to`. */
export function uniform(module: ModuleBuilder, shape: UniformShape): Kernel {
  const { floats, alike, blocks } = shape;
  return defineKernel(module, {
    key: `uniform ${floats} ${alike}${blocks === undefined ? "" : ` ${JSON.stringify(blocks)}`}`,
    params: ["state", "to"],
    flops: floats,
    build(f, { state, to }) {
      const [a, b, c, d] = [0, 16, 32, 48].map((offset) => f.let(v128.load(state, offset)));
      const draw = () => {
        const product = i32x4.mul(rotated(i32x4.mul(b!, i32x4.const(5)), 7), i32x4.const(9));
        const fraction = f32x4.convertI32x4S(i32x4.shrU(product, 8));
        const drawn = f.let(f32x4.mul(fraction, f32x4.const(2 ** -24)));
        f.store(to, alike ? f32x4.splat(f32x4.extractLane(drawn, 0)) : drawn);
        f.bump(to, 16);
        const shifted = f.let(i32x4.shl(b!, 9));
        f.set(c!, v128.xor(c!, a!));
        f.set(d!, v128.xor(d!, b!));
        f.set(b!, v128.xor(b!, c!));
        f.set(a!, v128.xor(a!, d!));
        f.set(c!, v128.xor(c!, shifted));
        f.set(d!, rotated(f.let(d!), 11));
      };
      if (blocks === undefined) f.loop(Math.ceil(floats / 4), draw);
      else {
        const { count, row, stride } = blocks;
        f.loop(floats / count / row, () => {
          f.loop(count, () => {
            f.loop(row / 4, draw);
            f.bump(to, (stride - row) * 4);
          });
          f.bump(to, (row - count * stride) * 4);
        });
      }
      [a, b, c, d].forEach((part, i) => f.store(state, part!, i * 16));
    },
  });
}

function rotated(value: V128, bits: number): V128 {
  return v128.or(i32x4.shl(value, bits), i32x4.shrU(value, 32 - bits));
}
