/** Compiled steps in a folder, for the workers of later processes. */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { decodeProgram, encodeProgram } from "./program_file.ts";
import type { ProgramStore } from "./program_store.ts";
import type { ModelProgram } from "./step/program.ts";

/** Programs of models that are kept at a time. */
const KEPT = 32;
const EXTENSION = ".steps";
const HASH_BYTES = 32;

/**
 * Keeps programs as files of a folder, which is made when the first is kept.
 *
 * @param stamp of the code that compiles: what other code has kept is not used
 */
export class FolderPrograms implements ProgramStore {
  readonly #folder: string;
  readonly #stamp: string;

  constructor(folder: string, stamp: string) {
    this.#folder = folder;
    this.#stamp = stamp;
  }

  get isEmpty(): boolean {
    try {
      return ![...Deno.readDirSync(this.#folder)].some(({ name }) => name.endsWith(EXTENSION));
    } catch {
      return true;
    }
  }

  async get(key: string): Promise<ModelProgram | null> {
    try {
      const file = await Deno.readFile(this.#path(key));
      const body = file.subarray(HASH_BYTES);
      // A file that was cut off or damaged would compute something else.
      if (!equal(file.subarray(0, HASH_BYTES), hash(body))) return null;
      return decodeProgram(body);
    } catch {
      return null;
    }
  }

  async put(key: string, program: ModelProgram): Promise<void> {
    const body = encodeProgram(program);
    const file = new Uint8Array(HASH_BYTES + body.length);
    file.set(hash(body));
    file.set(body, HASH_BYTES);
    await Deno.mkdir(this.#folder, { recursive: true });
    const path = this.#path(key);
    // Whoever reads meanwhile finds the whole file or the one before.
    await Deno.writeFile(`${path}.part`, file);
    await Deno.rename(`${path}.part`, path);
    await this.#dropOldest();
  }

  #path(key: string): string {
    const name = createHash("sha256").update(`${this.#stamp}\n${key}`).digest("hex").slice(0, 32);
    return join(this.#folder, name + EXTENSION);
  }

  async #dropOldest(): Promise<void> {
    const files: { path: string; written: number }[] = [];
    for await (const { name } of Deno.readDir(this.#folder)) {
      if (!name.endsWith(EXTENSION)) continue;
      const path = join(this.#folder, name);
      const { mtime } = await Deno.stat(path);
      files.push({ path, written: mtime?.getTime() ?? 0 });
    }
    files.sort((a, b) => b.written - a.written);
    for (const { path } of files.slice(KEPT)) await Deno.remove(path);
  }
}

function hash(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
