/** Writes encoded messages to a call within the transport's budget. */
import type { Buffer } from "node:buffer";
import type { ByteBudget } from "./byte_budget.ts";
import type { Collector } from "./collector.ts";
import { takePlace } from "./place.ts";

/** Messages that one transfer may have under way: enough to keep a connection busy. */
const MESSAGES_UNDER_WAY = 4;

/** Where messages are written: the part of grpc-js's client stream that pumping needs. */
export interface MessageStream {
  write(message: Buffer, written: () => void): unknown;
  end(): unknown;
}

/**
 * Waits for a place in the budget, writes all messages at the receiver's pace, then ends the stream.
 * The place is held until the call is over: a message that counts as written may still lie in the
 * connection's queues, and only the receiver's answer tells that it has left this process. Returns
 * early, without an error, when `over` aborts, as it must at the end of the call.
 *
 * @param bytes size of all messages together
 * @param begun called when the place is taken
 */
export async function pump(
  stream: MessageStream,
  messages: Iterable<Buffer>,
  bytes: number,
  budget: ByteBudget,
  collector: Collector,
  over: AbortSignal,
  begun: () => void,
): Promise<void> {
  try {
    await takePlace(budget, bytes, over);
  } catch {
    return;
  }
  begun();
  let wake = () => {};
  over.addEventListener("abort", () => wake(), { once: true });
  let underWay = 0;
  for (const message of messages) {
    while (underWay >= MESSAGES_UNDER_WAY && !over.aborted) {
      await new Promise<void>((resolve) => wake = resolve);
    }
    if (over.aborted) return;
    underWay++;
    stream.write(message, () => {
      underWay--;
      collector.moved(message.length);
      wake();
    });
  }
  stream.end();
}
