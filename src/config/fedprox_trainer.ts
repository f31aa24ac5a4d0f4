/**
 * The original has FedProx as the own trainer of a model package, with arguments `mu` and `lr`. Here
 * any model trains with its term: `client_training_config.proximal_mu`.
 */
import type { Problem } from "./problems.ts";
import type { SessionConfig } from "./session_config.ts";
import { type ConfigSource, isSection, type Path } from "./source.ts";
import { shown } from "./wording.ts";

const FLAG = ["model_config", "use_custom_trainer"] as const;
const ARGS = ["model_config", "custom_trainer_args"] as const;

/**
 * What is wrong with an own trainer.
 *
 * @param model the section `model_config`, as far as it is valid
 */
export function trainerProblems(source: ConfigSource, model: unknown): Problem[] {
  if (!isSection(model) || model[FLAG[1]] !== true) return [];
  const args = model[ARGS[1]];
  if (!isSection(args)) return [];
  const problem = (path: Path, reason: string): Problem => ({
    reason,
    location: source.locate(path, "value"),
  });
  if (args["mu"] === undefined) {
    return [problem(
      FLAG,
      "must be false, for the built-in trainer, unless custom_trainer_args has mu, for FedProx: " +
        "a Python trainer does not run here, and own ones are not supported yet: got true",
    )];
  }
  return Object.entries(args).flatMap(([key, value]) => {
    const path = [...ARGS, key];
    if (key !== "mu" && key !== "lr") {
      return [problem(path, "is not an argument of FedProx's trainer. Known: mu, lr")];
    }
    if (key === "lr" && value === null) return [];
    const isNumber = typeof value === "number" && Number.isFinite(value);
    if (isNumber && (key === "mu" ? value >= 0 : value > 0)) return [];
    const least = key === "mu" ? "of at least 0" : "more than 0";
    return [problem(path, `must be a number ${least}: got ${shown(value)}`)];
  });
}

/** A config whose own trainer is said in the keys of the built-in one; it has no problems. */
export function withBuiltInTrainer(config: SessionConfig): SessionConfig {
  const { model_config: model, client_training_config: training } = config;
  if (!model.use_custom_trainer) return config;
  const { mu, lr } = model.custom_trainer_args;
  return {
    ...config,
    client_training_config: {
      ...training,
      proximal_mu: mu as number,
      learning_rate: (lr ?? training.learning_rate) as number,
    },
    model_config: { ...model, use_custom_trainer: false, custom_trainer_args: {} },
  };
}
