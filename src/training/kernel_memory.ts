/** The memory in which compiled steps and single kernels find their operands. */
import { ModelError } from "../core/errors.ts";
import { Instance, Memory, Module } from "../kernels/engine.ts";
import type { MemoryImport } from "../kernels/mod.ts";

const PAGE_BYTES = 65536;
/** What the addresses of kernels reach, which are constants with a sign. */
const LIMIT_BYTES = 2 ** 31;

/** @throws {ModelError} no memory can be so large: names bytes and limit */
export function checkBytes(bytes: number): void {
  if (bytes > LIMIT_BYTES) throw outOfMemory(bytes);
}

function outOfMemory(bytes: number): ModelError {
  const megabytes = (count: number) => `${Math.ceil(count / 2 ** 20)} MB`;
  return new ModelError(
    `Cannot train with steps of ${megabytes(bytes)} as the memory ends ` +
      `(limit ${megabytes(LIMIT_BYTES)}): try a smaller batch_size`,
  );
}

/** The pages of a memory that threads share. */
const SHARED = { minimumPages: 1, maximumPages: LIMIT_BYTES / PAGE_BYTES, shared: true } as const;

/** A memory that grows; its view is made anew when it does. */
export class KernelMemory {
  /** How modules must import it. */
  readonly imported: MemoryImport;
  readonly #memory: WebAssembly.Memory;
  #floats: Float32Array;
  #bytes: Uint8Array;

  /** @param isShared whether threads share it @default {false} */
  constructor(isShared = false) {
    this.imported = isShared ? SHARED : {};
    this.#memory = new Memory(
      isShared
        ? { initial: SHARED.minimumPages, maximum: SHARED.maximumPages, shared: true }
        : { initial: 1 },
    );
    this.#floats = new Float32Array(this.#memory.buffer);
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }

  /** The memory itself, for other threads. */
  get shared(): WebAssembly.Memory {
    return this.#memory;
  }

  /** All of it, valid until the next {@link reserve}. */
  get floats(): Float32Array {
    return this.#floats;
  }

  /** As {@link floats}, byte by byte. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /**
   * Makes it at least so large.
   *
   * @throws {ModelError} there is no such memory: names bytes and limit
   */
  reserve(bytes: number): void {
    const missing = Math.ceil((bytes - this.#memory.buffer.byteLength) / PAGE_BYTES);
    if (missing <= 0) return;
    checkBytes(bytes);
    try {
      this.#memory.grow(missing);
    } catch {
      throw outOfMemory(bytes);
    }
    this.#floats = new Float32Array(this.#memory.buffer);
    this.#bytes = new Uint8Array(this.#memory.buffer);
  }

  /** The functions of a module that works on this memory, up to a byte. */
  instantiate(module: Uint8Array<ArrayBuffer>, top: number): WebAssembly.Exports {
    this.reserve(top);
    const env = { memory: this.#memory };
    return new Instance(new Module(module), { env }).exports;
  }
}
