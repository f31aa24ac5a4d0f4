/**
 * Opens a worker for models whose code runs in it: from then on it cannot end itself, make code of
 * text or start workers.
 */
import { startNumbers } from "./backend.ts";
import { forbidCodeFromText } from "./closed_code.ts";
import { forbidEnding } from "./guarded_globals.ts";
import { ModelCache } from "./model_cache.ts";

/** @param notice as for {@link ModelCache} */
export async function openModels(notice: (text: string) => void): Promise<ModelCache> {
  forbidEnding();
  forbidCodeFromText("a model");
  await startNumbers();
  return new ModelCache(notice);
}
