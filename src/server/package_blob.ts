/** A model package as one blob in the store, so that a run can go on after a restart. */
import { SessionFailedError } from "../core/errors.ts";
import { type ModelPackage, modelPackage } from "../core/model_package.ts";

/** A package as bytes: JSON with the files in base64. */
export function packBlob({ id, files }: ModelPackage): Uint8Array {
  const encoded = Object.entries(files)
    .map(([path, bytes]) => [path, bytes.toBase64()] as const);
  return new TextEncoder().encode(JSON.stringify({ id, files: Object.fromEntries(encoded) }));
}

/** Reads what {@link packBlob} wrote. @throws {SessionFailedError} the bytes are something else */
export function unpackBlob(bytes: Uint8Array): ModelPackage {
  try {
    const { id, files } = JSON.parse(new TextDecoder().decode(bytes));
    const decoded = Object.entries(files as Record<string, string>)
      .map(([path, text]) => [path, Uint8Array.fromBase64(text)] as const);
    return modelPackage(id, Object.fromEntries(decoded));
  } catch (cause) {
    throw new SessionFailedError("Cannot read the stored model package", { cause });
  }
}
