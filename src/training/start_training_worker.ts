/** Starts workers that train. */
import { fileURLToPath } from "node:url";

const THREAD_MODULES = fileURLToPath(new URL("./threads/", import.meta.url));

/**
 * A worker that may read some folders and nothing else.
 *
 * @param threads that share its steps
 */
export function startTrainingWorker(folders: readonly string[], threads: number): Worker {
  // It starts threads of its own only from modules that it may read.
  const readable = threads === 1 ? folders : [...folders, THREAD_MODULES];
  return new Worker(new URL("./worker.ts", import.meta.url).href, {
    type: "module",
    name: "training",
    deno: {
      permissions: {
        read: readable.length === 0 ? false : [...readable],
        write: false,
        net: false,
        env: false,
        sys: false,
        run: false,
        ffi: false,
        import: false,
      },
    },
  });
}
