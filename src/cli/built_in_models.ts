/** The models that come with Flotilla: beside the source, or inside the executable. */
import { fileURLToPath } from "node:url";

/** Folder of the model packages that come with Flotilla. */
export function builtInModels(): string {
  return fileURLToPath(new URL("../../models", import.meta.url));
}
