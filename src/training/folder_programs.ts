/** Compiled steps in a folder, for the workers of later processes. */
import { join } from "node:path";
import { sha256 } from "../core/model_package.ts";
import { decodeProgram, encodeProgram } from "./program_file.ts";
import type { ProgramStore } from "./program_store.ts";
import type { ModelProgram } from "./step/program.ts";

/** Programs of models that are kept at a time. */
const KEPT = 32;
const EXTENSION = ".steps";
/** A file starts with the hash of the rest, in hex. */
const HASH_BYTES = 64;

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
      const hash = new TextDecoder().decode(file.subarray(0, HASH_BYTES));
      if (hash !== sha256(body)) return null;
      return decodeProgram(body);
    } catch {
      return null;
    }
  }

  async put(key: string, program: ModelProgram): Promise<void> {
    const body = encodeProgram(program);
    const file = new Uint8Array(HASH_BYTES + body.length);
    file.set(new TextEncoder().encode(sha256(body)));
    file.set(body, HASH_BYTES);
    await Deno.mkdir(this.#folder, { recursive: true });
    const path = this.#path(key);
    // Whoever reads meanwhile finds the whole file or the one before.
    await Deno.writeFile(`${path}.part`, file);
    await Deno.rename(`${path}.part`, path);
    await this.#dropOldest();
  }

  #path(key: string): string {
    const name = sha256(`${this.#stamp}\n${key}`).slice(0, 32);
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
