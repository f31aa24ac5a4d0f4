/**
 * Blobs as files of one folder, named by their hash. Bytes stream to a temporary file, which is
 * renamed once it is on the disk; so a name that is there has its bytes, whatever crashed before.
 */
import { join } from "node:path";
import { crashPoint } from "../core/crash_point.ts";
import { discard, moveIntoPlace, writeSynced } from "./atomic_file.ts";
import { BlobDigest, isBlobId, spanWithin } from "./blob_pieces.ts";
import { onFile } from "./file_access.ts";
import { type FileSystem, systemFiles } from "./file_system.ts";
import type { Blobs, StoredBlob } from "./store.ts";
import { readFrom } from "./read_from.ts";

const TEMPORARY = ".tmp";

/** Blobs in a folder that several processes may share. */
export class BlobFolder implements Blobs {
  readonly #folder: string;
  readonly #files: FileSystem;
  /** Locked (shared) while this process uses the folder: tells others that it is not alone. */
  readonly #lock: Deno.FsFile;

  private constructor(folder: string, lock: Deno.FsFile, files: FileSystem) {
    this.#folder = folder;
    this.#files = files;
    this.#lock = lock;
  }

  /**
   * Opens the folder, which is made if missing, and sweeps out what a crash left half written.
   *
   * @throws {FileAccessError} the folder cannot be made or written
   */
  static async open(folder: string, files: FileSystem = systemFiles): Promise<BlobFolder> {
    await onFile("create folder", folder, () => files.makeFolder(folder));
    const lock = await onFile("write", folder, () => {
      return Deno.open(join(folder, ".lock"), { write: true, create: true });
    });
    try {
      await onFile("open", folder, () => claim(folder, lock, files));
    } catch (error) {
      lock.close();
      throw error;
    }
    return new BlobFolder(folder, lock, files);
  }

  async put(
    source: Uint8Array | AsyncIterable<Uint8Array>,
    expected?: string,
  ): Promise<StoredBlob> {
    const temporary = join(this.#folder, `${crypto.randomUUID()}${TEMPORARY}`);
    const digest = new BlobDigest();
    await writeSynced(temporary, digest.through(source, expected), this.#folder, this.#files);
    crashPoint("blob_written");
    const stored = digest.finish();
    if (await this.has(stored.id)) await discard(temporary, this.#files);
    else await moveIntoPlace(temporary, this.#path(stored.id), this.#files);
    return stored;
  }

  get(id: string): Promise<Uint8Array<ArrayBuffer> | null> {
    // Into a buffer of our own: Deno.readFile copies the whole on the event loop.
    return this.range(id, 0, Number.MAX_SAFE_INTEGER);
  }

  async range(id: string, start: number, length: number): Promise<Uint8Array<ArrayBuffer> | null> {
    spanWithin(0, start, length);
    if (!isBlobId(id)) return null;
    return await this.#reading(id, async (file) => {
      const span = spanWithin((await file.stat()).size, start, length);
      const bytes = new Uint8Array(span.end - span.start);
      const read = await readFrom(file, span.start, bytes);
      if (read === bytes.length) return bytes;
      throw new Error(`the file ends ${bytes.length - read} bytes too early`);
    });
  }

  async rangeInto(
    id: string,
    start: number,
    into: Uint8Array<ArrayBuffer>,
  ): Promise<number | null> {
    spanWithin(0, start, into.length);
    if (!isBlobId(id)) return null;
    return await this.#reading(id, (file) => readFrom(file, start, into));
  }

  /** What `read` makes of a blob's file; null if there is none. */
  async #reading<T>(id: string, read: (file: Deno.FsFile) => Promise<T>): Promise<T | null> {
    const path = this.#path(id);
    return await onFile("read", path, async () => {
      using file = await ifThere(Deno.open(path));
      return file === null ? null : await read(file);
    });
  }

  async has(id: string): Promise<boolean> {
    return await this.size(id) !== null;
  }

  async size(id: string): Promise<number | null> {
    if (!isBlobId(id)) return null;
    const path = this.#path(id);
    return await onFile("read", path, async () => (await ifThere(Deno.stat(path)))?.size ?? null);
  }

  async list(): Promise<StoredBlob[]> {
    const blobs: StoredBlob[] = [];
    for (const id of await this.ids()) {
      const bytes = await this.size(id);
      if (bytes !== null) blobs.push({ id, bytes });
    }
    return blobs;
  }

  async delete(id: string): Promise<void> {
    if (!isBlobId(id)) return;
    const path = this.#path(id);
    await onFile("delete", path, () => ifThere(this.#files.remove(path)));
  }

  /** Ids of all blobs, the one that was stored first coming first. */
  async ids(): Promise<string[]> {
    return await onFile("read", this.#folder, async () => {
      const found: { readonly id: string; readonly storedMs: number }[] = [];
      for await (const { name } of Deno.readDir(this.#folder)) {
        const info = isBlobId(name) ? await ifThere(Deno.stat(this.#path(name))) : null;
        if (info !== null) found.push({ id: name, storedMs: info.mtime?.getTime() ?? 0 });
      }
      return found.sort((a, b) => a.storedMs - b.storedMs).map(({ id }) => id);
    });
  }

  /** Lets go of the folder. */
  close(): void {
    this.#lock.close();
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}

/** Takes a share of the folder's lock; sweeps first if nobody else has one. */
async function claim(folder: string, lock: Deno.FsFile, files: FileSystem): Promise<void> {
  // Alone in the folder: no temporary file can still be in the writing. The system drops the lock
  // of a process that dies.
  if (await lock.tryLock(true)) {
    await sweep(folder, files);
    await lock.unlock();
  }
  await lock.lock(false);
}

async function sweep(folder: string, files: FileSystem): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    if (name.endsWith(TEMPORARY)) await files.remove(join(folder, name));
  }
}

async function ifThere<T>(operation: Promise<T>): Promise<T | null> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
