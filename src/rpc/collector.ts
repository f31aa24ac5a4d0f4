/**
 * Collects the garbage of transfers early. A transfer leaves two or three times its bytes in dead
 * buffers (of messages, of HTTP/2 and of the socket), for which the engine lets the process grow by
 * a hundred MB before it looks at them.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Bytes moved between two looks at the memory. */
const LOOK_EVERY_BYTES = 2 * 1024 * 1024;
/** Growth of the memory in buffers, since it was least, at which it is collected. */
const COLLECT_AT_BYTES = 20 * 1024 * 1024;
/** Growth that a collection of the young may leave; above it, all is collected. */
const ENOUGH_BYTES = 14 * 1024 * 1024;

/** What a collector acts on. */
export interface Memory {
  /** Bytes in buffers, dead ones included. */
  external(): number;
  /** Collects what has died young, in a few milliseconds. */
  collectYoung(): void;
  /** Collects all garbage, at once, which takes ten times as long. */
  collectAll(): void;
}

/** Watches the memory while bytes are moved, and collects from time to time. */
export class Collector {
  readonly #memory: Memory;
  #unseen = 0;
  #least: number;

  constructor(memory: Memory = engineMemory()) {
    this.#memory = memory;
    this.#least = memory.external();
  }

  /** Tells that so many bytes have been sent or have arrived. */
  moved(bytes: number): void {
    this.#unseen += bytes;
    if (this.#unseen < LOOK_EVERY_BYTES) return;
    this.#unseen = 0;
    const now = this.#memory.external();
    if (now < this.#least + COLLECT_AT_BYTES) {
      this.#least = Math.min(this.#least, now);
      return;
    }
    this.#memory.collectYoung();
    if (this.#memory.external() < this.#least + ENOUGH_BYTES) return;
    // What is left has grown old under way, or is in use.
    this.#memory.collectAll();
    this.#least = this.#memory.external();
  }
}

/** The engine's own function. */
type EngineCollect = (options: { type: "minor" | "major"; execution: "sync" }) => unknown;

function engineMemory(): Memory {
  const collect = engineCollect();
  return {
    external: () => Deno.memoryUsage().external,
    collectYoung: () => collect({ type: "minor", execution: "sync" }),
    collectAll: () => collect({ type: "major", execution: "sync" }),
  };
}

/**
 * What the engine gives: the true function if it was started with `--expose-gc`, else one that
 * collects all, twice, whatever it is asked for; none where it does not give any.
 */
function engineCollect(): EngineCollect {
  const { gc } = globalThis as { gc?: EngineCollect };
  if (gc !== undefined) return gc;
  try {
    // The flag acts on contexts that are made after it.
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    if (typeof collect === "function") return () => collect();
  } catch {
    // A runtime without it has to do with more memory.
  }
  return () => {};
}
