/** The clients as a session sees them: who could train now, and how to reach them. */
import type { Clock } from "../core/clock.ts";
import type { ClientId, ClientRef } from "../core/ids.ts";
import type { ClientLink } from "../rpc/transport.ts";

/** A client that is active and not at work for this session. */
export interface FleetMember extends ClientRef {
  /** Items of the asked dataset. */
  readonly samples: number;
  readonly labelDistribution: Readonly<Record<string, number>> | null;
}

/** The leader's directory, as far as a session needs it. */
export interface Fleet {
  /** Active clients that hold the dataset, in order of name. */
  holding(dataset: string): FleetMember[];
  /** Number of active clients, whatever they hold. */
  activeCount(): number;
  /** Resolves at the next change of the directory; rejects when the signal aborts. */
  nextChange(signal: AbortSignal): Promise<void>;
  /** A link to a client that the directory knows. @throws {RpcError} unknown client */
  link(client: ClientId): ClientLink;
  /** Marks a client as training or not, for those who look at the directory. */
  setTraining(client: ClientId, training: boolean): void;
}

/** Resolves when the fleet changes or the time is over; rejects when the signal aborts. */
export async function changeWithin(
  fleet: Pick<Fleet, "nextChange">,
  clock: Pick<Clock, "sleep">,
  mostMs: number,
  signal: AbortSignal,
): Promise<void> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  await Promise.race([fleet.nextChange(either), clock.sleep(mostMs, either)])
    .finally(() => over.abort());
}
