/** The section `training`, which `client_config.yaml` and `server_config.yaml` share. */
import * as v from "valibot";
import { section, wholeNumber, withDefault } from "./keys.ts";

/** How this process trains and evaluates. */
export const trainingSection = section({
  arithmetic: withDefault(
    v.picklist(["auto", "portable"]),
    "auto",
    "How products are added up; auto: in one rounding where the processor can; portable: in two, for the same bytes on every processor",
  ),
  threads: withDefault(
    v.union([v.literal("auto"), wholeNumber(1)]),
    1,
    "Threads that share each step, with the same results for any number; auto: as many as cores",
  ),
  device: withDefault(
    v.picklist(["auto", "cpu", "webgpu"]),
    "cpu",
    "What computes; webgpu: a GPU through WebGPU; auto: the one that a trial of a second finds faster, where there is a GPU",
  ),
  dataset_memory_mb: withDefault(
    wholeNumber(0),
    1024,
    "Megabytes (2^20 bytes) that a dataset's items may take in memory; more are read from disk batch by batch, unpacked there once where they are packed",
  ),
}, "How this process trains and evaluates");

/** The section, valid. */
export type TrainingConfig = v.InferOutput<typeof trainingSection>;
