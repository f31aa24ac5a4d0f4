/** Works out how a new run begins with the rounds of another. */
import type { SessionConfig } from "../config/session_config.ts";
import type { SessionId, WeightsId } from "../core/ids.ts";
import { checkLayout, decodeLayout } from "../core/weights.ts";
import { messageOf } from "../core/errors.ts";
import { forkableRounds } from "../session/continuation.ts";
import type { SessionState } from "../session/state.ts";
import type { Blobs } from "../state/store.ts";
import { ContinuationError } from "./session_service.ts";

/**
 * The weights after a round from which a run is forked.
 *
 * @throws {ContinuationError} there is no such round, or its weights are gone: names those that are
 * there
 */
export async function weightsToForkFrom(
  state: SessionState,
  round: number,
  blobs: Blobs,
): Promise<WeightsId> {
  const rounds = forkableRounds(state);
  const weights = rounds.get(round);
  if (weights !== undefined && await blobs.has(weights)) return weights;
  const there: number[] = [];
  for (const [other, id] of rounds) if (await blobs.has(id)) there.push(other);
  const why = weights === undefined
    ? `it has finished ${rounds.size} rounds`
    : "the weights of that round are not kept (session_config.keep_rounds)";
  throw new ContinuationError(
    `Cannot fork session ${state.id} after round ${round} as ${why}: ` +
      (there.length > 0
        ? `its weights are there of round ${there.join(", ")}`
        : "it has no weights"),
  );
}

/** @throws {ContinuationError} a fork with this config has nothing to do, or needs another model */
export function checkForkConfig(
  { id, config: own }: SessionState,
  round: number,
  config: SessionConfig,
): void {
  const { num_training_rounds: rounds } = config.server_training_config;
  if (rounds <= round) {
    throw new ContinuationError(
      `Cannot fork session ${id} after round ${round} as num_training_rounds is ${rounds}: set ` +
        "server_training_config.num_training_rounds to more",
    );
  }
  const [before, after] = [own, config].map((one) => one.client_training_config.model_id);
  if (before === after) return;
  throw new ContinuationError(
    `Cannot fork session ${id} with the model "${after}" as its weights are those of "${before}": ` +
      "submit a new run for another model",
  );
}

/** @throws {ContinuationError} the weights are not those of the model, such as for other model_args */
export async function checkFits(
  id: SessionId,
  weights: WeightsId,
  initial: Uint8Array,
  blobs: Blobs,
): Promise<void> {
  try {
    checkLayout(decodeLayout((await blobs.get(weights))!).layout, decodeLayout(initial).layout);
  } catch (error) {
    throw new ContinuationError(
      `Cannot fork session ${id} as its weights do not fit the changed model: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
