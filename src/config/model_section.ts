/** The keys of `model_config`, which a session and a model package's own `config.yaml` share. */
import * as v from "valibot";
import { args, flag, withDefault } from "./keys.ts";

const own = {
  custom_loader_args: withDefault(args, {}, "Arguments of an own loader"),
  custom_trainer_args: withDefault(args, {}, "Arguments of an own trainer"),
  custom_validator_args: withDefault(args, {}, "Arguments of an own validator"),
};

/** Entries of the section in a model package. */
export const modelSection = {
  model_args: withDefault(args, {}, "Arguments of the model's constructor"),
  use_custom_dataloader: notYet("loader"),
  use_custom_trainer: notYet("trainer"),
  use_custom_validator: notYet("validator"),
  ...own,
};

/** Entries of the section in a session, which may name the one own trainer that is built in. */
export const sessionModelSection = {
  ...modelSection,
  use_custom_trainer: withDefault(
    flag,
    false,
    "Own trainer; true is FedProx's, with custom_trainer_args mu and lr, and no other is supported yet",
  ),
};

function notYet(part: string) {
  const only = v.pipe(
    flag,
    v.check(
      isFalse,
      `must be false, for the built-in ${part}: a Python ${part} does not run here, and own ones are not supported yet`,
    ),
  );
  return withDefault(only, false, `Own ${part} in the model package; only false is supported yet`);
}

function isFalse(value: boolean): boolean {
  return !value;
}
