/** tfjs's packages; everything of ours has them from here, so that there is one core in a worker. */
import { given } from "./given_tfjs.ts";

export const { core, layers, loadCpu } = given.tfjs ?? (await import("./npm_tfjs.ts")).npmTfjs;
