/** What the worker of a job will ask first about its model. */
import { trainingSettings } from "./learner.ts";
import type { JobKind, Jobs } from "./protocol.ts";

/** A job with its kind. */
export type JobOfKind = { [K in JobKind]: { readonly kind: K; readonly job: Jobs[K] } }[JobKind];

/**
 * The facts that a job will ask for, and the step if it can be told before the dataset is read: it is
 * unless that is smaller than a batch. Null if the job needs no model.
 */
export function firstQuestions({ kind, job }: JobOfKind) {
  if (kind === "train") {
    const { modelPackage, args } = job;
    const settings = trainingSettings(job.settings);
    const source = { modelPackage, args };
    const step = { source, settings, mode: "train", size: job.settings.batchSize } as const;
    return { facts: { source, loss: settings.loss }, step };
  }
  if (kind === "evaluate") {
    const { modelPackage, args, loss } = job;
    return { facts: { source: { modelPackage, args }, loss }, step: null };
  }
  return null;
}
