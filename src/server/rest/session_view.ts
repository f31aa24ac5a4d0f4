/** Sessions as REST shows them: the schemas, and how a state becomes such a view. */
import * as v from "valibot";
import type { ClientRef } from "../../core/ids.ts";
import type { Evaluation } from "../../core/metrics.ts";
import type { Replacement, UpdateReceived } from "../../session/events.ts";
import type { RoundRecord, SessionState } from "../../session/state.ts";

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const seconds = v.pipe(v.number(), v.description("Seconds"));
const bytes = v.pipe(count, v.description("Payload bytes"));
const hash = v.pipe(v.string(), v.description("SHA-256, 64 lower-case hex digits"));
/** JSON has no NaN or Infinity. */
const loss = v.pipe(v.nullable(v.number()), v.description("Mean loss; null if not finite"));
const accuracy = v.pipe(
  v.nullable(v.number()),
  v.description("Fraction in [0, 1]; null for a model that does not classify"),
);
export const timestamp = v.pipe(v.string(), v.isoTimestamp(), v.description("RFC 3339, UTC"));

/** A session config as JSON; the config parser knows what is in it. */
export const ConfigObject = v.pipe(
  v.record(v.string(), v.unknown()),
  v.description("The session config: keys and values as in the YAML file"),
);

export const ClientRefView = v.object({ client_id: v.string(), name: v.string() });

const EvaluationView = v.object({ loss, accuracy, samples: count });

const ReplacementView = v.object({
  client: ClientRefView,
  reason: v.string(),
  by: v.pipe(v.nullable(ClientRefView), v.description("Null if nobody was left")),
});

const UpdateView = v.object({
  client: ClientRefView,
  round: v.pipe(count, v.description("The round for which the client was selected")),
  weights_id: hash,
  samples: count,
  loss,
  accuracy,
  test: v.pipe(v.nullable(EvaluationView), v.description("On the client's own test split")),
  epochs: v.number(),
  mini_batches: count,
  train_seconds: seconds,
  arithmetic: v.optional(
    v.pipe(
      v.picklist(["fused", "portable"]),
      v.description("How the client added up products, if it tells"),
    ),
  ),
  device: v.optional(
    v.pipe(
      v.picklist(["cpu", "webgpu"]),
      v.description("What computed the client's steps, if it tells"),
    ),
  ),
  threads: v.optional(
    v.pipe(count, v.description("How many threads of the client shared each step, if it tells")),
  ),
  seconds,
  bytes_down: bytes,
  bytes_up: bytes,
});

const FailureView = v.object({ client: ClientRefView, round: count, reason: v.string() });

export const RoundView = v.object({
  round: v.pipe(count, v.description("Counts from 1")),
  seed: count,
  started_at: timestamp,
  selected: v.array(ClientRefView),
  replaced: v.array(ReplacementView),
  updates: v.array(UpdateView),
  failures: v.array(FailureView),
  finished: v.pipe(
    v.nullable(v.object({ weights_id: hash, seconds, loss, accuracy })),
    v.description(
      "Null while the round is under way, or if it was given up; loss and accuracy are the " +
        "clients' means",
    ),
  ),
  given_up: v.pipe(
    v.nullable(v.object({ reason: v.string(), seconds })),
    v.description(
      "Why the round ended without new weights, its updates counting nowhere; null if it did not",
    ),
  ),
  validation: v.pipe(
    v.nullable(EvaluationView),
    v.description("On the leader's validation set; null if it was not evaluated"),
  ),
});

const summaryEntries = {
  session_id: v.string(),
  status: v.picklist(["queued", "running", "finished", "failed", "stopped"]),
  reason: v.pipe(v.nullable(v.string()), v.description("Why it failed or was stopped")),
  model_id: v.string(),
  parent: v.pipe(
    v.nullable(v.object({ session_id: v.string(), round: count })),
    v.description("The session of which it is a fork, and after which round; null if of none"),
  ),
  rounds_finished: v.pipe(count, v.description("Rounds that brought new weights")),
  rounds_given_up: v.pipe(count, v.description("Rounds that ended without new weights")),
  rounds_total: count,
  validation: v.pipe(v.nullable(EvaluationView), v.description("Of the last evaluated round")),
  submitted_at: timestamp,
  started_at: v.nullable(timestamp),
  ended_at: v.nullable(timestamp),
};

export const SessionSummary = v.object(summaryEntries);

export const SessionView = v.object({
  ...summaryEntries,
  seq: v.pipe(count, v.description("Number of the last journal entry")),
  seed: count,
  model_hash: hash,
  parameters: v.pipe(v.nullable(count), v.description("Number of model parameters")),
  weights_id: v.pipe(v.nullable(hash), v.description("The current global weights")),
  rounds: v.array(RoundView),
  in_flight: v.pipe(
    v.array(v.object({ client: ClientRefView, round: count })),
    v.description("Clients that owe an answer"),
  ),
  results_folder: v.pipe(
    v.nullable(v.string()),
    v.description("Where the results are on the server's machine; null before the end"),
  ),
  config: ConfigObject,
});

/** One line about a session. */
export function sessionSummary(state: SessionState): v.InferOutput<typeof SessionSummary> {
  return {
    session_id: state.id,
    status: state.status,
    reason: state.reason,
    model_id: state.model.id,
    parent: state.parent && { session_id: state.parent.session, round: state.parent.round },
    rounds_finished: state.rounds.filter(({ finished }) => finished !== null).length,
    rounds_given_up: state.rounds.filter(({ givenUp }) => givenUp !== null).length,
    rounds_total: state.config.server_training_config.num_training_rounds,
    validation: evaluation(state.rounds.findLast((round) => round.validation)?.validation ?? null),
    submitted_at: iso(state.submittedAt),
    started_at: isoOrNull(state.startedAt),
    ended_at: isoOrNull(state.endedAt),
  };
}

/**
 * Everything about a session that a user can read.
 *
 * @param resultsFolder absolute path of its results; null if there are none
 */
export function sessionView(
  state: SessionState,
  resultsFolder: string | null,
): v.InferOutput<typeof SessionView> {
  return {
    ...sessionSummary(state),
    seq: state.seq,
    seed: state.seed,
    model_hash: state.model.hash,
    parameters: state.parameters,
    weights_id: state.weights,
    rounds: state.rounds.map(roundView),
    in_flight: Object.values(state.inFlight).map(({ client, round }) => ({
      client: clientRef(client),
      round,
    })),
    results_folder: resultsFolder,
    config: { ...state.config },
  };
}

function roundView(record: RoundRecord): v.InferOutput<typeof RoundView> {
  const { finished } = record;
  return {
    round: record.round,
    seed: record.seed,
    started_at: iso(record.startedAt),
    selected: record.selected.map(clientRef),
    replaced: record.replaced.map(replacement),
    updates: record.updates.map(update),
    failures: record.failures.map(({ client, round, reason }) => ({
      client: clientRef(client),
      round,
      reason,
    })),
    finished: finished && {
      weights_id: finished.weights,
      seconds: finished.seconds,
      ...finite(finished.metrics),
    },
    given_up: record.givenUp,
    validation: evaluation(record.validation),
  };
}

function update(event: UpdateReceived): v.InferOutput<typeof UpdateView> {
  const { metrics } = event;
  return {
    client: clientRef(event.client),
    round: event.round,
    weights_id: event.weights,
    samples: event.samples,
    ...finite(metrics),
    test: evaluation(metrics.test),
    epochs: metrics.epochs,
    mini_batches: metrics.miniBatches,
    train_seconds: metrics.trainSeconds,
    ...(metrics.arithmetic !== undefined && { arithmetic: metrics.arithmetic }),
    ...(metrics.device !== undefined && { device: metrics.device }),
    ...(metrics.threads !== undefined && { threads: metrics.threads }),
    seconds: event.seconds,
    bytes_down: event.bytesDown,
    bytes_up: event.bytesUp,
  };
}

function replacement({ client, reason, by }: Replacement): v.InferOutput<typeof ReplacementView> {
  return { client: clientRef(client), reason, by: by && clientRef(by) };
}

function clientRef({ id, name }: ClientRef): v.InferOutput<typeof ClientRefView> {
  return { client_id: id, name };
}

function evaluation(result: Evaluation | null): v.InferOutput<typeof EvaluationView> | null {
  return result && { ...finite(result), samples: result.samples };
}

function finite(metrics: { readonly loss: number; readonly accuracy: number | null }) {
  return {
    loss: Number.isFinite(metrics.loss) ? metrics.loss : null,
    accuracy: Number.isFinite(metrics.accuracy) ? metrics.accuracy : null,
  };
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

function isoOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : iso(epochMs);
}
