/** A run as series over its rounds, and its clients' work over time. Pure: results and journal in. */
import { byName, type ClientId } from "../core/ids.ts";
import type { SessionEntry, UpdateReceived } from "./events.ts";
import { meanBySamples } from "./results_csv.ts";
import type { Results } from "./results.ts";

/** A round that finished. */
export interface RoundPoint {
  readonly round: number;
  /** Since the start of the run. */
  readonly seconds: number;
  /** Sent and received for all rounds so far, also for validations by clients. */
  readonly bytes: number;
  readonly accuracy: number | null;
  readonly loss: number | null;
}

/** A piece of work of a client; seconds since the start of the run. */
export interface Work {
  readonly round: number;
  readonly from: number;
  readonly to: number;
  /** Seconds of training in it; null if the client failed. */
  readonly trainSeconds: number | null;
  /** When the round that it counted in, or that was given up, was over; null if none followed. */
  readonly roundEnd: number | null;
  /** Why the client failed; null if it did not. */
  readonly failure: string | null;
}

/** What can be drawn of a run. */
export interface RunHistory {
  readonly name: string;
  /** Whose quality the points have: measured on the server's set, or by the clients in training. */
  readonly measured: "validation" | "training";
  readonly points: readonly RoundPoint[];
  /** In order of name. */
  readonly clients: readonly { readonly name: string; readonly work: readonly Work[] }[];
  /** Milliseconds since 1970 at which the run began; null if it never did. */
  readonly startMs: number | null;
}

/** The history of a run. */
export function runHistory(results: Results, journal: readonly SessionEntry[]): RunHistory {
  const start = journal.find(({ event }) => event.type === "session_started");
  const startMs = start?.at ?? null;
  const secondsAt = (at: number) => Math.max(0, (at - (startMs ?? at)) / 1000);
  const ends = new Map<number, number>();
  const givenUp: number[] = [];
  const validationBytes = new Map<number, number>();
  for (const { at, event } of journal) {
    if (event.type === "round_finished") ends.set(event.round, secondsAt(at));
    if (event.type === "round_given_up") givenUp.push(secondsAt(at));
    if (event.type !== "clients_validated") continue;
    const sent = event.results.reduce((sum, { bytesDown = 0 }) => sum + bytesDown, 0);
    validationBytes.set(event.round, sent);
  }
  const measured = results.rounds.some(({ validation }) => validation !== null)
    ? "validation"
    : "training";
  return {
    name: results.name ?? results.session_id.slice(0, 8),
    measured,
    points: pointsOf(results, { ends, validationBytes }, measured),
    clients: clientsOf(journal, [...ends.values(), ...givenUp].sort((a, b) => a - b), secondsAt),
    startMs,
  };
}

function pointsOf(
  { rounds }: Results,
  { ends, validationBytes }: Readonly<
    Record<"ends" | "validationBytes", ReadonlyMap<number, number>>
  >,
  measured: RunHistory["measured"],
): RoundPoint[] {
  let bytes = 0;
  return rounds.flatMap((round) => {
    bytes += validationBytes.get(round.round) ?? 0;
    for (const { bytes_down, bytes_up } of round.updates) bytes += bytes_down + bytes_up;
    const seconds = ends.get(round.round);
    if (seconds === undefined) return [];
    const quality = measured === "validation"
      ? { accuracy: round.validation?.accuracy ?? null, loss: round.validation?.loss ?? null }
      : { accuracy: meanBySamples(round, "accuracy"), loss: meanBySamples(round, "loss") };
    return [{ round: round.round, seconds, bytes, ...quality }];
  });
}

function clientsOf(
  journal: readonly SessionEntry[],
  ends: readonly number[],
  secondsAt: (at: number) => number,
): RunHistory["clients"] {
  const clients = new Map<ClientId, { id: ClientId; name: string; work: Work[] }>();
  const rounds = new Map<number, number>();
  for (const { at, event } of journal) {
    if (event.type === "round_started") rounds.set(event.round, secondsAt(at));
    if (event.type !== "update_received" && event.type !== "client_failed") continue;
    const to = secondsAt(at);
    const { client, round } = event;
    const own = clients.get(client.id) ?? { ...client, work: [] };
    clients.set(client.id, own);
    own.work.push({
      round,
      from: event.type === "update_received" ? began(event, to) : rounds.get(round) ?? to,
      to,
      trainSeconds: event.type === "update_received" ? event.metrics.trainSeconds : null,
      roundEnd: ends.find((end) => end >= to) ?? null,
      failure: event.type === "client_failed" ? event.reason : null,
    });
  }
  return [...clients.values()].sort(byName);
}

function began({ seconds }: UpdateReceived, to: number): number {
  return Math.max(0, to - seconds);
}
