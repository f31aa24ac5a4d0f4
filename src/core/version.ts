/** Which Flotilla this is. */
import { readFileSync } from "node:fs";
import manifest from "../../deno.json" with { type: "json" };

/** Version, runtime and commit of the running program. */
export interface VersionInfo {
  readonly flotilla: string;
  readonly deno: string;
  /** First 12 hex digits of the commit; `unknown` outside a clone. */
  readonly commit: string;
}

/** Version, runtime and commit of the running program. */
export function versionInfo(): VersionInfo {
  return { flotilla: manifest.version, deno: Deno.version.deno, commit: commitOf("../../.git/") };
}

/** What `flotilla --version` prints: `flotilla 0.1.0 (Deno 2.9.6, commit 0123456789ab)`. */
export function versionLine(): string {
  const { flotilla, deno, commit } = versionInfo();
  return `flotilla ${flotilla} (Deno ${deno}, commit ${commit})`;
}

/** The commit that a clone has checked out, read without starting git. */
function commitOf(folder: string): string {
  try {
    const read = (path: string) =>
      readFileSync(new URL(folder + path, import.meta.url), "utf8").trim();
    const head = read("HEAD");
    return (head.startsWith("ref: ") ? read(head.slice("ref: ".length)) : head).slice(0, 12);
  } catch {
    return "unknown";
  }
}
