/** What a session knows of one client from its answers, folded from the journal. Pure. */
import type { ClientId } from "../core/ids.ts";
import type { Benchmark, Evaluation, TrainingMetrics } from "../core/metrics.ts";
import { withClient } from "./by_client.ts";
import type {
  ClientBenchmarked,
  ClientFailed,
  ClientsValidated,
  UpdateReceived,
} from "./events.ts";

/** A client in this session. */
export interface ClientHistory {
  /** Of its last update; null before the first. */
  readonly lastMetrics: TrainingMetrics | null;
  /** The round for which it trained then. */
  readonly lastRound: number | null;
  readonly lastValidation: { readonly round: number; readonly evaluation: Evaluation } | null;
  /** Null if it could not be measured; undefined if it was not asked. */
  readonly benchmark?: Benchmark | null;
  /** Whether its last assignment brought no update. */
  readonly failedLast: boolean;
}

type Histories = Readonly<Record<ClientId, ClientHistory>>;

const nothingYet: ClientHistory = {
  lastMetrics: null,
  lastRound: null,
  lastValidation: null,
  failedLast: false,
};

/** A client of whom nothing is known yet has a history too. */
export function historyOf(clients: Histories, id: ClientId): ClientHistory {
  return Object.hasOwn(clients, id) ? clients[id]! : nothingYet;
}

/** Seconds that a mini-batch takes the client: benchmarked, else measured in its last training. */
export function secondsPerBatch({ benchmark, lastMetrics }: ClientHistory): number | null {
  if (benchmark) return benchmark.seconds / benchmark.miniBatches;
  if (lastMetrics === null || lastMetrics.miniBatches === 0) return null;
  return lastMetrics.trainSeconds / lastMetrics.miniBatches;
}

/** The histories after an answer to an assignment. */
export function withAnswer(clients: Histories, event: UpdateReceived | ClientFailed): Histories {
  const { id } = event.client;
  const before = historyOf(clients, id);
  const after = event.type === "client_failed"
    ? { ...before, failedLast: true }
    : { ...before, lastMetrics: event.metrics, lastRound: event.round, failedLast: false };
  return withClient(clients, id, after);
}

/** The histories after a validation by clients or a benchmark. */
export function withMeasures(
  clients: Histories,
  event: ClientsValidated | ClientBenchmarked,
): Histories {
  if (event.type === "client_benchmarked") {
    const { client: { id }, benchmark } = event;
    return withClient(clients, id, { ...historyOf(clients, id), benchmark });
  }
  const { round, results } = event;
  const answered = results.flatMap(({ client: { id }, evaluation }) =>
    evaluation === null
      ? []
      : [[id, { ...historyOf(clients, id), lastValidation: { round, evaluation } }] as const]
  );
  return { ...clients, ...Object.fromEntries(answered) };
}
