/** Tells when the source of the program has changed: once for a burst, as editors write several files. */
import { join, relative } from "node:path";

/** Silence that ends a burst. */
const QUIET_MS = 200;

/** Whether a file, relative to the root, is part of the program: `main.ts`, `src/`, `proto/`. */
export function isSource(file: string): boolean {
  const path = file.replaceAll("\\", "/");
  return path === "main.ts" || /^(src|proto)\/.*\.(ts|proto)$/.test(path);
}

/**
 * Yields the changed files of each burst, relative to the root and sorted, until the signal aborts.
 * Watching begins with the first `next()`; what changes between two of them is not lost.
 */
export async function* sourceChanges(
  root: string,
  signal: AbortSignal,
  quietMs = QUIET_MS,
): AsyncGenerator<string[], void> {
  // Events name real paths, also where the root is reached by a link.
  const realRoot = Deno.realPathSync(root);
  const changed = new Set<string>();
  let quiet = Promise.withResolvers<void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const collect = async (watcher: Deno.FsWatcher) => {
    for await (const { kind, paths } of watcher) {
      const sources = paths.map((path) => relative(realRoot, path)).filter(isSource);
      // The program itself opens its files: reading is no change.
      if (kind === "access" || sources.length === 0) continue;
      for (const file of sources) changed.add(file);
      clearTimeout(timer);
      timer = setTimeout(() => quiet.resolve(), quietMs);
    }
  };
  const stop = () => quiet.resolve();
  signal.addEventListener("abort", stop);
  const watchers = [
    // The folder, not main.ts: an editor that renames puts another file in its place.
    Deno.watchFs(realRoot, { recursive: false }),
    Deno.watchFs(["src", "proto"].map((folder) => join(realRoot, folder))),
  ];
  const collecting = watchers.map(collect);
  try {
    for (;;) {
      if (!signal.aborted) await quiet.promise;
      if (signal.aborted) return;
      quiet = Promise.withResolvers();
      const files = [...changed].sort();
      changed.clear();
      yield files;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    for (const watcher of watchers) watcher.close();
    await Promise.all(collecting);
    clearTimeout(timer);
  }
}
