/** Makes JavaScript of a model written in TypeScript; types are erased, not checked. */
import * as nodeModule from "node:module";
import { messageOf, ModelError } from "../core/errors.ts";

/**
 * Erases types with the runtime's own stripper, which costs nothing, or on a runtime without it
 * with sucrase.
 *
 * @param label the file's name, for messages
 * @throws {ModelError} not TypeScript
 */
export async function stripTypes(text: string, label: string): Promise<string> {
  try {
    const { stripTypeScriptTypes } = nodeModule as Partial<typeof nodeModule>;
    if (stripTypeScriptTypes !== undefined) return stripTypeScriptTypes(text);
    const { transform } = await import("sucrase");
    return transform(text, { transforms: ["typescript"], disableESTransforms: true }).code;
  } catch (error) {
    throw new ModelError(`Cannot read ${label} as TypeScript: ${messageOf(error)}`);
  }
}
