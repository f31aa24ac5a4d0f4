/** What must hold before a run is continued: it has ended, its config is the same, clients are there. */
import type { SessionConfig } from "../config/session_config.ts";
import type { Clock } from "../core/clock.ts";
import type { ClientRef } from "../core/ids.ts";
import { changeWithin, type Fleet } from "../session/fleet.ts";
import type { SessionEntry } from "../session/events.ts";
import type { SessionState } from "../session/state.ts";
import { ContinuationError } from "./session_service.ts";

/** How long missing clients may take to say that they are there, as after a leader's start. */
const CLIENTS_WITHIN_MS = 5000;

/** @throws {ContinuationError} the run has finished, or goes on already */
export function checkHasBrokenOff({ id, status }: SessionState): void {
  if (status === "failed" || status === "stopped") return;
  throw new ContinuationError(
    status === "finished"
      ? `Cannot continue session ${id} as it has finished: fork it from one of its rounds with ` +
        `"flotilla session --from ${id} --round K"`
      : `Cannot continue session ${id} as it is ${status}: only a run that has failed or was ` +
        `stopped can be continued; watch it with "flotilla logs ${id} --follow"`,
  );
}

/** @throws {ContinuationError} naming the keys in which the given config is another */
export function checkSameConfig(id: string, own: SessionConfig, given: SessionConfig): void {
  const keys = differences(own, given, "");
  if (keys.length === 0) return;
  throw new ContinuationError(
    `Cannot continue session ${id} with another config: ${keys.join("; ")}. Leave the config out ` +
      `to go on with the session's own, or fork it with "flotilla session --from ${id} --round K --set ` +
      'key=value"',
  );
}

/**
 * The clients of a run's last round that are not there, after a short wait for them.
 *
 * @param signal ends the wait
 */
export async function missingClients(
  { rounds, config }: SessionState,
  fleet: Fleet,
  clock: Clock,
  signal: AbortSignal,
): Promise<ClientRef[]> {
  const last = rounds.at(-1);
  const expected = last === undefined ? [] : [...last.selected, ...last.spares];
  const { dataset } = config.client_training_config;
  const until = clock.monotonicMs() + CLIENTS_WITHIN_MS;
  for (;;) {
    const here = new Set(fleet.holding(dataset).map(({ id }) => id));
    const missing = expected.filter(({ id }) => !here.has(id));
    const left = until - clock.monotonicMs();
    if (missing.length === 0 || left <= 0) return missing;
    await changeWithin(fleet, clock, left, signal);
  }
}

/** The error of {@link missingClients}. */
export function clientsMissing(id: string, missing: readonly ClientRef[]): ContinuationError {
  const names = missing.map(({ name }) => name).sort().join(", ");
  return new ContinuationError(
    `Cannot restore session ${id} as clients of its last round are not there: ${names}. Start ` +
      "them, or use --revive, which goes on from the last finished round without them",
  );
}

/** @throws {ContinuationError} the store's journal does not begin as the checkpoint's */
export function checkSameHistory(
  id: string,
  stored: readonly SessionEntry[],
  archived: readonly SessionEntry[],
): void {
  const text = ({ event }: SessionEntry) => JSON.stringify(event);
  const isSame = archived.length <= stored.length &&
    archived.every((entry, i) => text(entry) === text(stored[i]!));
  if (isSame) return;
  throw new ContinuationError(
    `Cannot continue session ${id} from the checkpoint as the state has another history of that ` +
      "session: continue it without --file, or use the checkpoint with a leader that does not know it",
  );
}

function differences(own: unknown, given: unknown, path: string): string[] {
  if (isSection(own) && isSection(given)) {
    const keys = new Set([...Object.keys(own), ...Object.keys(given)]);
    return [...keys].flatMap((key) =>
      differences(own[key], given[key], path === "" ? key : `${path}.${key}`)
    );
  }
  const [a, b] = [JSON.stringify(own), JSON.stringify(given)];
  return a === b ? [] : [`${path} is ${b} in it and ${a} in the session`];
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
