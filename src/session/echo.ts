/**
 * The echo before a round: every selected client must answer within a deadline, and one that stays
 * silent is replaced before training starts, so that it does not cost the round its deadline.
 */
import { messageOf } from "../core/errors.ts";
import { byName, type ClientRef } from "../core/ids.ts";
import { type Prng, shuffle } from "../core/prng.ts";
import type { Replacement } from "./events.ts";

/** Who will train, and who was replaced. */
export interface EchoOutcome {
  /** In order of name; all have answered. */
  readonly selected: readonly ClientRef[];
  readonly replaced: readonly Replacement[];
}

/**
 * Echoes all selected clients at once; for each silent one asks a spare, in a seeded order, until
 * everybody has answered or no spare is left.
 *
 * @param echo rejects, within its deadline, if the client does not answer
 */
export async function echoSelected(
  selected: readonly ClientRef[],
  spares: readonly ClientRef[],
  prng: Prng,
  echo: (client: ClientRef) => Promise<void>,
): Promise<EchoOutcome> {
  const waiting = shuffle([...spares], prng);
  const answered: ClientRef[] = [];
  const replaced: Replacement[] = [];
  let asked = selected;
  while (asked.length > 0) {
    const answers = await Promise.allSettled(asked.map(echo));
    const substitutes: ClientRef[] = [];
    for (const [i, answer] of answers.entries()) {
      const client = asked[i]!;
      if (answer.status === "fulfilled") {
        answered.push(client);
        continue;
      }
      const by = waiting.shift() ?? null;
      if (by !== null) substitutes.push(by);
      replaced.push({ client, reason: messageOf(answer.reason), by });
    }
    asked = substitutes;
  }
  return { selected: answered.sort(byName), replaced };
}
