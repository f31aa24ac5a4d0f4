/**
 * The WebAssembly memory in which updates are summed: two sets of tiles, so that one is filled
 * while the other is added, the sums in doubles, and the result in floats.
 */
import { Instance, Memory, Module } from "../kernels/engine.ts";
import { type Kernel, ModuleBuilder, weightedSum } from "../kernels/mod.ts";

/** Updates that one pass adds: see `weightedSum`. */
export const UPDATES_A_PASS = 4;

/** Sets of tiles. */
const SETS = 2;

const PAGE_BYTES = 64 * 1024;
const SHARES_AT = 64;

/** Which part of a sum a pass is. */
export interface SumPass {
  /** 0 or 1: the set whose first tiles hold the updates. */
  readonly set: number;
  /** One factor for each update, {@link UPDATES_A_PASS} at most. */
  readonly shares: readonly number[];
  /** Floats of each update. */
  readonly floats: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

type AddUpdates = (
  sums: number,
  result: number,
  shares: number,
  ...updatesAndElements: number[]
) => void;

/** Tiles and sums of one size, and the kernels that add them. The memory never grows. */
export class SumMemory {
  /** Floats that a tile has room for. */
  readonly tile: number;
  readonly #buffer: ArrayBuffer;
  readonly #exports: WebAssembly.Exports;
  readonly #sumsAt: number;
  readonly #resultAt: number;
  readonly #tilesAt: number;

  /** @param tile floats of a tile, a multiple of 4 */
  constructor(tile: number) {
    this.tile = tile;
    this.#sumsAt = PAGE_BYTES;
    this.#resultAt = this.#sumsAt + tile * 8;
    this.#tilesAt = this.#resultAt + tile * 4;
    const bytes = this.#tilesAt + SETS * UPDATES_A_PASS * tile * 4;
    const memory = new Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
    // Only a memory that is made as shared has another kind of buffer.
    this.#buffer = memory.buffer as ArrayBuffer;
    this.#exports = new Instance(sumModule(), { env: { memory } }).exports;
  }

  /** The first floats of a tile. */
  tileOf(set: number, update: number, floats: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#buffer, this.#tileAt(set, update), floats);
  }

  /** The first floats of the result of the last pass of a sum. */
  result(floats: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#buffer, this.#resultAt, floats);
  }

  /** Adds the first tiles of a set, each times its share. */
  add({ set, shares, floats, isFirst, isLast }: SumPass): void {
    new Float64Array(this.#buffer, SHARES_AT, shares.length).set(shares);
    const addUpdates = this.#exports[nameOf(shares.length, isFirst, isLast)] as AddUpdates;
    const tiles = shares.map((_, update) => this.#tileAt(set, update));
    addUpdates(this.#sumsAt, this.#resultAt, SHARES_AT, ...tiles, floats);
  }

  #tileAt(set: number, update: number): number {
    return this.#tilesAt + (set * UPDATES_A_PASS + update) * this.tile * 4;
  }
}

let compiled: WebAssembly.Module | null = null;

/** The kernels of all passes, compiled once for the process. */
function sumModule(): WebAssembly.Module {
  if (compiled !== null) return compiled;
  const module = new ModuleBuilder({ arithmetic: "portable" });
  for (let updates = 1; updates <= UPDATES_A_PASS; updates++) {
    for (const isFirst of [false, true]) {
      for (const isLast of [false, true]) {
        const { func }: Kernel = weightedSum(module, { updates, isFirst, isLast });
        module.export(nameOf(updates, isFirst, isLast), func);
      }
    }
  }
  return compiled = new Module(module.bytes());
}

function nameOf(updates: number, isFirst: boolean, isLast: boolean): string {
  return `add ${updates}${isFirst ? " first" : ""}${isLast ? " last" : ""}`;
}
