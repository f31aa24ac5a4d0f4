/** Under which programs of a job's model are kept. */
import { joinsVectors } from "../kernels/wide_vectors.ts";
import { modelKey } from "./model_key.ts";
import type { EngineSettings, Jobs } from "./protocol.ts";
import { threadsFor } from "./threads_choice.ts";

/** All that a program is compiled from, as far as is known before the dataset is read. */
export function programKey(
  { dataset: { classes, normalise }, ...source }: Jobs["train"] | Jobs["evaluate"],
  { arithmetic, threads = 1, device = "cpu" }: EngineSettings,
): string {
  const dataset = [classes, normalise];
  const engine = [arithmetic, joinsVectors, threadsFor(threads), device];
  return JSON.stringify([modelKey(source), ...engine, dataset]);
}
