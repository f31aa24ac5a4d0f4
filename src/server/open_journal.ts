/** Opening what earlier processes have journalled, which may be damaged or of another version. */
import * as v from "valibot";
import { sessionConfigSchema } from "../config/session_config.ts";
import type { Clock } from "../core/clock.ts";
import { JournalError, messageOf, UnreachableError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { Logger } from "../log/log.ts";
import { SessionJournal } from "../session/session_journal.ts";
import type { SessionState } from "../session/state.ts";
import type { Store } from "../state/store.ts";
import type { UnreadableSession } from "./session_service.ts";

/** Where journals are, and who is told of those that cannot be read. */
export interface JournalPlace {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Opens a session's journal. If it cannot be read, it is the reason instead, which the log has too:
 * one damaged session does not keep the others from going on.
 *
 * @returns null for an unknown session
 *
 * @throws {UnreachableError} the store does not answer
 */
export async function openJournal(
  id: SessionId,
  { store, clock, logger }: JournalPlace,
): Promise<SessionJournal | UnreadableSession | null> {
  try {
    const journal = await SessionJournal.open(store, clock, id);
    if (journal !== null) checkConfig(journal.state);
    return journal;
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    const reason = `${messageOf(error)} (state: ${store.description})`;
    logger.error("session_unreadable", `Session ${id} is left out: ${reason}`, { session: id });
    return { id, reason };
  }
}

/** Checks what an earlier process has journalled. @throws {JournalError} not a config of today */
export function checkConfig({ id, config }: SessionState): void {
  const { issues: [issue] = [] } = v.safeParse(sessionConfigSchema, config);
  if (issue === undefined) return;
  const key = v.getDotPath(issue) ?? "as a whole";
  throw new JournalError(
    `Cannot use the config in the journal of session ${id}: ${key}: ${issue.message}`,
  );
}
