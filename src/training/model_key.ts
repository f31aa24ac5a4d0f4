/** What tells one model from another. */
import type { ModelSource } from "./trainer.ts";

/** The same for sources that build the same model. */
export function modelKey({ modelPackage, args }: ModelSource): string {
  return JSON.stringify([modelPackage.id, modelPackage.hash, args]);
}
