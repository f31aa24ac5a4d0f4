/** The names that a session config may use, known without loading what they stand for. */
import { aggregators } from "../aggregation/registry.ts";
import type { SessionRegistries } from "../config/parse_session.ts";
import { selectors } from "../selection/registry.ts";
import type { LossName } from "../training/losses.ts";
import type { OptimizerName } from "../training/optimizer_rules.ts";

// Total maps, so that a loss or an optimizer that is missing here does not compile. Their modules
// load tfjs, which is more than a command that only checks a config may cost.
const losses: Readonly<Record<LossName, true>> = {
  crossentropy: true,
  mean_square_error: true,
  binary_crossentropy: true,
  binary_l1loss: true,
  binary_kldiv: true,
};
const optimizers: Readonly<Record<OptimizerName, true>> = {
  sgd: true,
  momentum: true,
  adam: true,
  adagrad: true,
  adadelta: true,
  rmsprop: true,
};

/** All strategies, losses and optimizers of this version. */
export const sessionRegistries: SessionRegistries = {
  aggregators,
  selectors,
  losses: Object.keys(losses),
  optimizers: Object.keys(optimizers),
};
