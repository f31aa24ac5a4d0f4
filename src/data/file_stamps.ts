/** Tells whether a dataset's files have changed since they were read. */
import type { DatasetSpec } from "./dataset.ts";

/**
 * Sizes and times of a dataset's files, as plain data to compare; of images those of the folders that
 * they lie in. A file that is missing has null, as reading tells what is wrong with it.
 */
export async function fileStamps({ folder, files }: DatasetSpec): Promise<readonly unknown[]> {
  const names = typeof files === "string" ? [files] : [files.images, files.labels];
  const stamps: unknown[] = [];
  for (const name of names) {
    const path = `${folder}/${name}`;
    stamps.push(await stampOf(path));
    if (!/[\\/]$/.test(name)) continue;
    for (const entry of await foldersIn(path)) {
      stamps.push([entry, await stampOf(`${path}${entry}`)]);
    }
  }
  return stamps;
}

async function stampOf(path: string): Promise<unknown> {
  try {
    const { size, mtime } = await Deno.stat(path);
    return [size, mtime?.getTime()];
  } catch {
    return null;
  }
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).sort();
  } catch {
    return [];
  }
}
