/** Where the project is, and what its folders hold. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Folder of `deno.json`, without a slash at the end. */
export const projectRoot: string = fileURLToPath(new URL("..", import.meta.url)).replace(
  /[\\/]$/,
  "",
);

/**
 * Flags under which Flotilla runs: a small young generation, so that buffers that have served are
 * collected soon, the engine's own function to collect them (see `src/rpc/collector.ts`), and
 * instructions of 256 bits for pairs of vectors (see `src/kernels/wide_vectors.ts`). Tasks in
 * `deno.json` have the same.
 */
export const V8_FLAGS =
  "--v8-flags=--max-semi-space-size=1,--expose-gc,--experimental-wasm-revectorize";

/**
 * How the C library keeps memory: in two heaps for the runtime's many threads, giving back all but
 * 128 KiB at the end of each. Without, a client that trains takes 7 MB more. Read by glibc alone; the
 * task `flotilla` and the image set the same.
 */
export const MALLOC_ENV = { MALLOC_ARENA_MAX: "2", MALLOC_TRIM_THRESHOLD_: "131072" };

/** Files below a folder of the project whose names end as given, relative to the root, sorted. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(`${projectRoot}/${folder}`, { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(ending))
    .sort();
}
