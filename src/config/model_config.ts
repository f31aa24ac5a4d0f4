/** The file `config.yaml` of a model package. */
import * as v from "valibot";
import { modelClass, modelId, names, orNull, section, withDefault } from "./keys.ts";
import { modelSection } from "./model_section.ts";

/** Schema of a model package's `config.yaml`. */
export const modelConfigSchema = v.strictObject({
  model_details: section({
    model_id: orNull(modelId, "Name of the model; null: the folder's name"),
    model_class: modelClass,
    model_tags: withDefault(names, [], "Words that describe the model, for people"),
    suitable_datasets: withDefault(names, [], "Datasets that fit the model, for people"),
  }, "What the model is"),
  default_training_config: section(
    modelSection,
    "What a session that has no model_config of its own uses",
  ),
});

/** A valid `config.yaml` of a model package. */
export type ModelConfig = v.InferOutput<typeof modelConfigSchema>;
