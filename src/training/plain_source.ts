/**
 * Sources without types, for a worker of models that cannot erase them: what does is a part of the
 * runtime's Node layer, which takes longer to start than such a worker otherwise needs.
 */
import { stripTypes } from "./strip_types.ts";
import type { ModelSource } from "./trainer.ts";

/**
 * The same source; if its model is written in TypeScript, with the types erased.
 *
 * @throws {ModelError} not TypeScript
 */
export async function plainSource<S extends ModelSource>(source: S): Promise<S> {
  const { modelPackage } = source;
  const { id, files } = modelPackage;
  const typed = files["model.ts"];
  if (typed === undefined) return source;
  const plain = await stripTypes(new TextDecoder().decode(typed), `${id}/model.ts`);
  const erased = { ...files, "model.ts": new TextEncoder().encode(plain) };
  return { ...source, modelPackage: { ...modelPackage, files: erased }, isPlain: true };
}
