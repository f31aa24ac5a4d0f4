/**
 * Items that stay in their file, of which a batch is read at a time: for datasets that are larger
 * than the memory they may take.
 */
import { DataError, messageOf } from "../core/errors.ts";
import { BYTES_EACH, type NumberType, type StoredItems } from "./dataset.ts";
import type { DataFile } from "./folder.ts";
import { readAt } from "./read_at.ts";

/** Where items lie in a file that is not packed. */
export interface ItemsPlace {
  readonly type: NumberType;
  readonly bigEndian: boolean;
  readonly count: number;
  /** Numbers of an item. */
  readonly size: number;
  /** Byte at which the first item starts. */
  readonly start: number;
}

/**
 * Opens a file for reading by item, until `close()`.
 *
 * @throws {DataError} the file cannot be opened
 */
export function openItems(file: DataFile, place: ItemsPlace): StoredItems {
  return new FileItems(file, place);
}

class FileItems implements StoredItems {
  readonly type: NumberType;
  readonly byteLength: number;
  readonly #label: string;
  readonly #file: Deno.FsFile;
  readonly #start: number;
  readonly #swaps: boolean;
  /** One item; a file is not read straight into memory that threads share. */
  readonly #item: Uint8Array<ArrayBuffer>;

  constructor({ label, path }: DataFile, { type, bigEndian, count, size, start }: ItemsPlace) {
    this.type = type;
    this.#label = label;
    this.#start = start;
    this.#swaps = bigEndian && BYTES_EACH[type] > 1;
    this.#item = new Uint8Array(size * BYTES_EACH[type]);
    this.byteLength = count * this.#item.length;
    try {
      this.#file = Deno.openSync(path);
    } catch (error) {
      throw new DataError(`Cannot read ${label}: ${messageOf(error)}`);
    }
  }

  read(indices: Int32Array, into: Uint8Array, stride: number): void {
    indices.forEach((index, row) => {
      this.#readItem(index);
      into.set(this.#item, row * stride);
    });
  }

  close(): void {
    this.#file.close();
  }

  #readItem(index: number): void {
    const item = this.#item;
    if (readAt(this.#file, this.#start + index * item.length, item) < item.length) {
      throw new DataError(
        `Cannot read ${this.#label} as it ends within item ${index}: it was changed meanwhile`,
      );
    }
    if (this.#swaps) swapWords(item);
  }
}

/** Turns the bytes of each 32-bit word around, from big-endian. */
export function swapWords(bytes: Uint8Array<ArrayBuffer>): void {
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4) view.setUint32(at, view.getUint32(at), true);
}
