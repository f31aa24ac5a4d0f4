/** What the worker of a job will ask first about its model. */
import { evaluationBatch } from "./evaluate.ts";
import { evaluationSettings, trainingSettings } from "./learner.ts";
import type { JobKind, Jobs } from "./protocol.ts";

/** A job with its kind. */
export type JobOfKind = { [K in JobKind]: { readonly kind: K; readonly job: Jobs[K] } }[JobKind];

/**
 * The step that a job will ask for first, unless its dataset is smaller than a batch; null if it needs
 * none.
 */
export function firstQuestion({ kind, job }: JobOfKind) {
  if (kind === "train") {
    const { modelPackage, args } = job;
    const { batchSize: size } = job.settings;
    const settings = trainingSettings(job.settings);
    const source = { modelPackage, args };
    return { source, loss: settings.loss, settings, mode: "train", size } as const;
  }
  if (kind === "evaluate") {
    const { modelPackage, args, loss, batchSize } = job;
    const settings = evaluationSettings(loss);
    const source = { modelPackage, args };
    return { source, loss, settings, mode: "evaluate", size: evaluationBatch(batchSize) } as const;
  }
  return null;
}
