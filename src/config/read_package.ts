/** Reading a model package from a user's folder, so that it can be sent to the leader. */
import { join } from "node:path";
import { FileAccessError, messageOf, ModelError } from "../core/errors.ts";
import { MAX_PACKAGE_BYTES, type ModelPackage, modelPackage } from "../core/model_package.ts";

/** A package is one small folder: deeper trees and more files are a mistake. */
const MAX_FILES = 200;
const MAX_DEPTH = 8;

/** Files that make a model; a package needs one of them. */
export const MODEL_FILES = ["model.json", "model.js", "model.ts"] as const;

/**
 * Reads all regular files of a folder as the package of a model. Hidden files and `__pycache__` are
 * left out; a symbolic link is refused, as it may lead out of the folder.
 *
 * @param folder where it is
 * @param id the model's name
 * @throws {ModelError} no model file, a link, too many files or bytes, a name that cannot travel
 * @throws {FileAccessError} a file that cannot be read
 */
export async function readPackage(folder: string, id: string): Promise<ModelPackage> {
  const files: Record<string, Uint8Array> = {};
  let bytes = 0;
  for await (const path of pathsIn(folder, "")) {
    if (Object.keys(files).length === MAX_FILES) {
      throw new ModelError(`${packageIn(folder)} has too many files: at most ${MAX_FILES}`);
    }
    const { size } = await access(join(folder, path), Deno.stat);
    bytes += size;
    if (bytes > MAX_PACKAGE_BYTES) {
      throw new ModelError(
        `${packageIn(folder)} is too large at "${path}": at most ${MAX_PACKAGE_BYTES} bytes in ` +
          "all, as weights and data do not belong in it",
      );
    }
    files[path] = await access(join(folder, path), Deno.readFile);
  }
  checkModelFile(folder, Object.keys(files));
  return modelPackage(id, files);
}

async function* pathsIn(folder: string, inside: string): AsyncGenerator<string> {
  if (inside.split("/").length > MAX_DEPTH) {
    throw new ModelError(`${packageIn(folder)} is too deep at "${inside}": at most ${MAX_DEPTH}`);
  }
  const entries = await access(join(folder, inside), (path) => Array.fromAsync(Deno.readDir(path)));
  for (const entry of entries) {
    const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
    if (entry.name.startsWith(".") || entry.name === "__pycache__") continue;
    if (entry.isDirectory) yield* pathsIn(folder, path);
    else if (entry.isFile) yield path;
    else {
      throw new ModelError(
        `${
          packageIn(folder)
        } holds "${path}", which is a link or a device: put a regular file there`,
      );
    }
  }
}

function checkModelFile(folder: string, paths: readonly string[]): void {
  if (MODEL_FILES.some((name) => paths.includes(name))) return;
  const python = paths.find((path) => path.endsWith(".py"));
  const needed = `write a "model.json" (a tfjs layers topology) or a "model.js" or "model.ts" ` +
    "whose default export is (flotilla, args) => model";
  throw new ModelError(
    python === undefined
      ? `${packageIn(folder)} has no model: ${needed}`
      : `${
        packageIn(folder)
      } has its model in Python ("${python}"), which does not run here: ${needed}`,
  );
}

function packageIn(folder: string): string {
  return `Cannot use the model package "${folder}" as it`;
}

async function access<T>(path: string, read: (path: string) => Promise<T>): Promise<T> {
  try {
    return await read(path);
  } catch (error) {
    throw new FileAccessError(`Cannot read "${path}": ${messageOf(error)}`, { cause: error });
  }
}
