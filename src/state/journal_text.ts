/** The text of a journal entry, as the stores that keep text read it. */
import { JournalError, messageOf } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";

/**
 * The value that an entry's text stands for.
 *
 * @param place where the journal is kept, for people
 * @throws {JournalError} it is not JSON: names place, session, entry and reason
 */
export function parseEntry<T>(text: string, session: SessionId, seq: number, place: string): T {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new JournalError(
      `Cannot read entry ${seq} of session ${session} in ${place} as it is not JSON: ` +
        messageOf(error),
      { cause: error },
    );
  }
}
