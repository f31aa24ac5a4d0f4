/** Names that the tests of session configs know, apart from the real registries. */
import assert from "node:assert/strict";
import * as v from "valibot";
import { InvalidConfigError } from "../../src/config/problems.ts";
import type { SessionRegistries } from "../../src/config/parse_session.ts";

const random = {
  args: v.pipe(
    v.strictObject({
      num_clients_per_round: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
      client_fraction: v.optional(
        v.pipe(v.number(), v.gtValue(0), v.maxValue(1, "must be a fraction")),
      ),
    }),
    v.check((given) => Object.keys(given).length < 2, "takes one of its two keys"),
    v.transform((given) => Object.keys(given).length === 0 ? { client_fraction: 1 } : given),
  ),
};
const none = { args: v.strictObject({}) };

export const registries: SessionRegistries = {
  aggregators: { fedavg: none },
  selectors: {
    random,
    all: none,
    fedavg: random,
    all_clients: none,
    by_speed: { ...none, usesSpeed: true },
  },
  losses: [
    "crossentropy",
    "mean_square_error",
    "binary_crossentropy",
    "binary_l1loss",
    "binary_kldiv",
  ],
  optimizers: ["sgd", "momentum", "adam", "adagrad", "adadelta", "rmsprop"],
};

/** The lines of the message with which a configuration is refused. */
export function problemsOf(read: () => unknown): readonly string[] {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof InvalidConfigError, String(error));
    assert.equal(error.exitCode, 2);
    return error.message.split("\n");
  }
  assert.fail("the configuration was accepted");
}
