/** What a run leaves for its user, as one JSON document folded from its state. Pure. */
import type { SessionConfig } from "../config/session_config.ts";
import type { Arithmetic, Device } from "../core/metrics.ts";
import type { ResourceSummary } from "../core/resources.ts";
import type { ClientId, ClientRef, SessionId, WeightsId } from "../core/ids.ts";
import type { ClientFailed, Replacement, UpdateReceived } from "./events.ts";
import type { RoundRecord, SessionState, SessionStatus } from "./state.ts";

/** Quality of a model; null where it is not finite or does not exist. */
export interface Quality {
  readonly loss: number | null;
  /** Fraction in [0, 1]; null for a model that does not classify. */
  readonly accuracy: number | null;
}

/** One client's update. */
export interface UpdateResult {
  readonly client: ClientId;
  readonly name: string;
  /** The round for which the client was selected, where it is another than the one it counts in. */
  readonly assigned_round?: number;
  readonly samples: number;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly train_seconds: number;
  /** How the client added up products, if it tells. */
  readonly arithmetic?: Arithmetic;
  /** What computed the client's steps, if it tells. */
  readonly device?: Device;
  /** How many threads of the client shared each step, if it tells. */
  readonly threads?: number;
  readonly bytes_down: number;
  readonly bytes_up: number;
  /** On the client's own test split, if it has one. */
  readonly test_loss?: number | null;
  readonly test_accuracy?: number | null;
}

/** One round. */
export interface RoundResult {
  /** Counts from 1. */
  readonly round: number;
  /** Null for a round that was under way at the end. */
  readonly seconds: number | null;
  /** Why the round was given up; absent if it was not. Its updates count nowhere. */
  readonly given_up?: string;
  readonly selected: readonly ClientId[];
  readonly updates: readonly UpdateResult[];
  readonly failures: readonly { readonly client: ClientId; readonly reason: string }[];
  /** Clients that did not answer before the round, and who took their place. */
  readonly replaced: readonly {
    readonly client: ClientId;
    readonly reason: string;
    readonly by: ClientId | null;
  }[];
  /** Null for a round that did not finish. */
  readonly weights_id: WeightsId | null;
  /** Of the global model on the leader's validation set; null if it was not evaluated. */
  readonly validation: Quality | null;
}

/** The content of `results.json`. */
export interface Results {
  readonly schema: 1;
  readonly session_id: SessionId;
  /** The label in the config; null if it has none. */
  readonly name: string | null;
  readonly status: SessionStatus;
  /** The session of which it is a fork, and the last round that the two have in common. */
  readonly parent?: { readonly session_id: SessionId; readonly round: number };
  /** Why it failed or was stopped. */
  readonly reason?: string;
  /** From the start (the submission, if it never started) to the end. */
  readonly seconds: number;
  readonly rounds: readonly RoundResult[];
  /** Null without a trained model. Paths are relative to the folder of the results. */
  readonly final: {
    readonly weights_id: WeightsId;
    readonly validation: Quality | null;
    readonly model: "model/model.json";
    readonly safetensors: "model.safetensors";
  } | null;
  /** How fast clients were before they were first selected, by id; absent if none was measured. */
  readonly benchmarks?: Readonly<
    Record<ClientId, { readonly mini_batches: number; readonly seconds: number }>
  >;
  /** Names of all clients that took part, by id. */
  readonly clients: Readonly<Record<ClientId, string>>;
  readonly seed: number;
  readonly config: SessionConfig;
  /** How numbers were computed: backends and kinds of accumulators. */
  readonly arithmetic: Readonly<Record<string, string>>;
  /** Versions of what took part, such as `flotilla`, `deno` and `tfjs`. */
  readonly versions: Readonly<Record<string, string>>;
  /** What the server used while the run went on; only with `--monitor`. */
  readonly resources?: ResourceSummary;
}

/** What a state does not know. */
export type ResultsContext = Pick<Results, "arithmetic" | "versions" | "resources">;

/** The results of a run that has ended (or, up to now, of one that has not). */
export function resultsOf(state: SessionState, context: ResultsContext): Results {
  const { status, parent, reason, endedAt, startedAt, submittedAt, seed, config } = state;
  const from = startedAt ?? submittedAt;
  return {
    schema: 1,
    session_id: state.id,
    name: config.session_config.session_id,
    status,
    ...(parent !== null && { parent: { session_id: parent.session, round: parent.round } }),
    ...(reason !== null && { reason }),
    seconds: ((endedAt ?? from) - from) / 1000,
    rounds: state.rounds.map(roundResult),
    final: finalResult(state),
    ...benchmarksOf(state),
    clients: Object.fromEntries(clientsOf(state).map(({ id, name }) => [id, name])),
    seed,
    config,
    arithmetic: context.arithmetic,
    versions: context.versions,
    ...(context.resources !== undefined && { resources: context.resources }),
  };
}

function roundResult(record: RoundRecord): RoundResult {
  return {
    round: record.round,
    seconds: (record.finished ?? record.givenUp)?.seconds ?? null,
    ...(record.givenUp !== null && { given_up: record.givenUp.reason }),
    selected: record.selected.map(({ id }) => id),
    updates: record.updates.map((update) => updateResult(update, record.round)),
    failures: record.failures.map(failureResult),
    replaced: record.replaced.map(replacementResult),
    weights_id: record.finished?.weights ?? null,
    validation: record.validation && quality(record.validation),
  };
}

function updateResult(update: UpdateReceived, round: number): UpdateResult {
  const { client, metrics } = update;
  const test = metrics.test && quality(metrics.test);
  return {
    client: client.id,
    name: client.name,
    ...(update.round !== round && { assigned_round: update.round }),
    samples: update.samples,
    ...quality(metrics),
    train_seconds: metrics.trainSeconds,
    ...(metrics.arithmetic !== undefined && { arithmetic: metrics.arithmetic }),
    ...(metrics.device !== undefined && { device: metrics.device }),
    ...(metrics.threads !== undefined && { threads: metrics.threads }),
    bytes_down: update.bytesDown,
    bytes_up: update.bytesUp,
    ...(test && { test_loss: test.loss, test_accuracy: test.accuracy }),
  };
}

function failureResult({ client, reason }: ClientFailed) {
  return { client: client.id, reason };
}

function replacementResult({ client, reason, by }: Replacement) {
  return { client: client.id, reason, by: by?.id ?? null };
}

/** The model after the last finished round, also of a run that was stopped or failed later. */
function finalResult({ rounds }: SessionState): Results["final"] {
  const last = rounds.findLast(({ finished }) => finished !== null);
  if (!last?.finished) return null;
  return {
    weights_id: last.finished.weights,
    validation: last.validation && quality(last.validation),
    model: "model/model.json",
    safetensors: "model.safetensors",
  };
}

function benchmarksOf({ clients }: SessionState): Pick<Results, "benchmarks"> {
  const measured = Object.entries(clients).flatMap(([id, { benchmark }]) =>
    benchmark ? [[id, { mini_batches: benchmark.miniBatches, seconds: benchmark.seconds }]] : []
  );
  return measured.length === 0 ? {} : { benchmarks: Object.fromEntries(measured) };
}

function clientsOf({ rounds }: SessionState): ClientRef[] {
  return rounds.flatMap(({ selected, replaced }) => [
    ...selected,
    ...replaced.map(({ client }) => client),
  ]);
}

/** JSON has no NaN and no Infinity. */
function quality({ loss, accuracy }: { loss: number | null; accuracy: number | null }): Quality {
  return { loss: finite(loss), accuracy: finite(accuracy) };
}

function finite(value: number | null): number | null {
  return Number.isFinite(value) ? value : null;
}
