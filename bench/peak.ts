/** The most arithmetic that this machine does: multiply-adds on sums that stay in registers. */
import { hasWideVectors, i32, type ModuleBuilder, v128 } from "../src/kernels/mod.ts";

const TURNS = 4000;
/** Registers for sums, of vectors or of pairs of them: what kernels have. */
const SUMS = 12;
const FACTORS_AT = 512, SUMS_AT = 1024;

const vectors = hasWideVectors() ? 2 : 1;

/** Floating-point operations of one call of {@link addPeak}'s function. */
export const PEAK_FLOPS = TURNS * SUMS * vectors * 4 * 2;

/**
 * Adds the function `peak` to a module. It uses the memory below address 2048; constant addresses, as
 * V8 joins neighbouring vectors only there.
 */
export function addPeak(module: ModuleBuilder): void {
  const peak = module.function("peak", {}, (f) => {
    const start = i32.const(0);
    const load = (address: number) => f.let(v128.load(start, address));
    const places = Array.from({ length: SUMS * vectors }, (_, i) => SUMS_AT + i * 16);
    const sums = places.map(load);
    const factors = Array.from({ length: vectors }, (_, i) => load(FACTORS_AT + i * 16));
    const factor = f.let(v128.load32Splat(start, FACTORS_AT));
    f.loop(TURNS, () => {
      for (const [i, sum] of sums.entries()) f.accumulate(sum, factor, factors[i % vectors]!);
    });
    for (const [i, sum] of sums.entries()) f.store(start, sum, places[i]!);
  });
  module.export("peak", peak);
}
