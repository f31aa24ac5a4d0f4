/** What tells one version of this program's code from another, also between two changes of a clone. */
import { versionInfo } from "../core/version.ts";

/** Folders whose code decides what a compiled step computes. */
const FOLDERS = [
  new URL("../kernels/", import.meta.url),
  new URL("../training/", import.meta.url),
];

/** The same as long as the code is the same: versions, and when its newest file was written. */
export async function codeStamp(): Promise<string> {
  const { flotilla, deno } = versionInfo();
  const written = Deno.build.standalone
    ? (await Deno.stat(Deno.execPath())).mtime?.getTime() ?? 0
    : Math.max(...await Promise.all(FOLDERS.map(newestIn)));
  return [flotilla, deno, written].join(" ");
}

/** Milliseconds since 1970 at which the newest file of a folder and those in it was written. */
async function newestIn(folder: URL): Promise<number> {
  const times: Promise<number>[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = new URL(isDirectory ? `${name}/` : name, folder);
    times.push(
      isDirectory ? newestIn(path) : Deno.stat(path).then(({ mtime }) => mtime?.getTime() ?? 0),
    );
  }
  return Math.max(0, ...await Promise.all(times));
}
