/**
 * What a model package's `model.js` or `model.ts` gets: its default export is called with this and
 * with `model_args`, and returns a model. Everything it needs is here, so it needs no imports.
 */
import type * as core from "@tensorflow/tfjs-core";
import type * as layers from "@tensorflow/tfjs-layers";
import type { JsonObject } from "../core/json.ts";

/** The names of `@tensorflow/tfjs`, as core and layers export them. */
export type TensorFlow = Omit<typeof core, "default"> & Omit<typeof layers, "default">;

/** First argument of a model's default export. */
export interface ModelApi {
  /** The names of `@tensorflow/tfjs`: `tf.sequential`, `tf.layers`, `tf.input`, `tf.model`, ... */
  readonly tf: TensorFlow;
  /** Seed of this build; `Math.random` is seeded with it as well. */
  readonly seed: number;
}

/** The default export of `model.js` or `model.ts`. */
export type ModelFunction = (
  flotilla: ModelApi,
  args: JsonObject,
) => layers.LayersModel | Promise<layers.LayersModel>;
