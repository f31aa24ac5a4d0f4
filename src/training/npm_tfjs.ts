/**
 * tfjs's packages as npm has them. Core, layers and the cpu backend are imported singly: the union
 * package costs 16 MB more. Of the layers it is the minified file, which loads in half the time; of
 * core that would be a second one, as the others ask for its plain file.
 */
import * as core from "@tensorflow/tfjs-core";
// @ts-types="@tensorflow/tfjs-layers"
import * as layers from "@tensorflow/tfjs-layers/minified";
import type { Tfjs } from "./given_tfjs.ts";

/** Them. */
export const npmTfjs: Tfjs = {
  core,
  layers,
  loadCpu: () => import("@tensorflow/tfjs-backend-cpu"),
};
