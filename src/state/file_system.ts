/**
 * What of the file system changes something on the disk: every step after which a crash may come.
 * A parameter, so that a test can make each single one fail.
 */

/** A file that is being written from its beginning. */
export interface NewFile {
  /** Writes some of the bytes. @returns how many */
  write(bytes: Uint8Array): Promise<number>;
  /** Forces what was written to the disk. */
  sync(): Promise<void>;
  close(): void;
}

/** The changing operations; each throws what the operating system says. */
export interface FileSystem {
  /** Makes a folder and those above it; no effect on one that is there. */
  makeFolder(path: string): Promise<void>;
  /** Creates a file that must not be there yet. */
  create(path: string): Promise<NewFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Forces a folder's list of names to the disk. */
  syncFolder(path: string): Promise<void>;
}

/** The machine's own. */
export const systemFiles: FileSystem = {
  makeFolder: (path) => Deno.mkdir(path, { recursive: true }),
  create: (path) => Deno.open(path, { write: true, createNew: true }),
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
  async syncFolder(path) {
    // Windows cannot open a folder; there a rename is durable by the file system's own journal.
    if (Deno.build.os === "windows") return;
    using folder = await Deno.open(path);
    await folder.sync();
  },
};
