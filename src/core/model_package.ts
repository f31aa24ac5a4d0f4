/**
 * A model package: the small folder that describes one model (`config.yaml` with `model.json`,
 * `model.js` or `model.ts`), held in memory as it travels from the user to leader and clients.
 */
import { createHash } from "node:crypto";
import { ModelError } from "./errors.ts";
import type { PackageHash } from "./ids.ts";

/** Most bytes that a package may hold: it is code and topology, not weights. */
export const MAX_PACKAGE_BYTES = 8 * 1024 * 1024;

/** A model package as plain data. */
export interface ModelPackage {
  /** The model's name, such as `LeNet5`. */
  readonly id: string;
  readonly hash: PackageHash;
  /** File contents by relative path, `/` between folders. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/**
 * Makes a package of files and computes its hash: SHA-256 over the lines `<sha256 of bytes>  <path>`
 * in order of path. Unlike the original's sum of file hashes it changes when a file is renamed.
 *
 * @throws {ModelError} a path that leaves the package, or more bytes than {@link MAX_PACKAGE_BYTES}
 */
export function modelPackage(
  id: string,
  files: Readonly<Record<string, Uint8Array>>,
): ModelPackage {
  if (!/^[\w.-]{1,100}$/.test(id) || /^\.+$/.test(id)) {
    throw new ModelError(
      `Cannot use "${id}" as a model id: letters, digits, "_", "-" and "." only`,
    );
  }
  const paths = Object.keys(files).sort();
  for (const path of paths) checkPackagePath(id, path);
  const size = paths.reduce((sum, path) => sum + files[path]!.length, 0);
  if (size > MAX_PACKAGE_BYTES) {
    throw new ModelError(
      `Cannot use model package "${id}" as it holds ${size} bytes: at most ${MAX_PACKAGE_BYTES}`,
    );
  }
  const lines = paths.map((path) => `${sha256(files[path]!)}  ${path}\n`);
  return { id, hash: sha256(lines.join("")), files };
}

/** SHA-256 of bytes or text, in lower-case hex. */
export function sha256(data: Uint8Array | string): string {
  return createHash("sha256").update(data).digest("hex");
}

function checkPackagePath(id: string, path: string): void {
  const parts = path.split("/");
  const bad = parts.some((part) => !/^[\w.-]{1,100}$/.test(part) || /^\.+$/.test(part));
  if (bad || parts.length > 8) {
    throw new ModelError(
      `Cannot use the file "${path}" in model package "${id}": a path inside the package is needed`,
    );
  }
}
