/** Log of refused messages: each kind once, so that a flood of them cannot fill the log. */
import type { Logger } from "../log/log.ts";

/** Most different refusals that are told; their text may come from the sender. */
const MAX_TOLD = 100;
const MAX_REASON_LENGTH = 200;

/** Says that a message was dropped, the first time that this topic and reason meet. */
export type TellRefusal = (topic: string, reason: string) => void;

/** A {@link TellRefusal} that writes to `logger` and remembers what it has said. */
export function refusalLog(logger: Logger): TellRefusal {
  const told = new Set<string>();
  return function tellRefusal(topic, reason) {
    const short = reason.slice(0, MAX_REASON_LENGTH);
    const key = `${topic} ${short}`;
    if (told.has(key) || told.size >= MAX_TOLD) return;
    told.add(key);
    logger.warning("message_refused", `Dropped a message on topic "${topic}": ${short}`, {
      topic,
      reason: short,
    });
  };
}
