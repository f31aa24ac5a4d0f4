/** Log of a broker's absence: once when it goes, once when it is back, however often we try. */
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../log/log.ts";

/** What is told of one broker. */
export interface OutageLog {
  /** An attempt failed or the connection broke. */
  broke(reason: unknown): void;
  /** The connection stands. */
  over(): void;
}

/** An {@link OutageLog} about the broker on `address`. */
export function outageLog(logger: Logger, address: string): OutageLog {
  let known: "unknown" | "up" | "down" = "unknown";
  return {
    broke(reason) {
      if (known === "down") return;
      const [event, what] = known === "up"
        ? ["broker_lost", "Lost"]
        : ["broker_unreachable", "Cannot reach"];
      known = "down";
      logger.warning(
        event,
        `${what} the MQTT broker on ${address} (${
          reasonOf(reason)
        }): trying again until it answers`,
        { address },
      );
    },
    over() {
      if (known === "up") return;
      const message = known === "down" ? "answers again" : "answers";
      known = "up";
      logger.info("broker_connected", `The MQTT broker on ${address} ${message}`, { address });
    },
  };
}

/** A host with several addresses that all refuse gives an error with a code and no message. */
function reasonOf(reason: unknown): string {
  return messageOf(reason) || String((reason as { code?: unknown }).code);
}
