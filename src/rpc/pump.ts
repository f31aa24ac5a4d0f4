/** Writes encoded messages to a call within the transport's budget. */
import type { Buffer } from "node:buffer";
import type { ByteBudget } from "./byte_budget.ts";

/** Messages that one transfer may have under way: enough to keep a connection busy. */
const MESSAGES_UNDER_WAY = 4;

/** Where messages are written: the part of grpc-js's client stream that pumping needs. */
export interface MessageStream {
  write(message: Buffer, written: () => void): unknown;
  end(): unknown;
}

/**
 * Writes all messages, each when the budget and the receiver's pace allow it, then ends the stream.
 * Returns early, without an error, when `over` aborts, as it must at the end of the call: that is
 * also what gives back the bytes whose receipt is never confirmed.
 */
export async function pump(
  stream: MessageStream,
  messages: Iterable<Buffer>,
  budget: ByteBudget,
  over: AbortSignal,
): Promise<void> {
  const underWay = new Set<() => void>();
  let wake = () => {};
  over.addEventListener("abort", () => {
    for (const release of underWay) release();
    wake();
  }, { once: true });
  for (const message of messages) {
    while (underWay.size >= MESSAGES_UNDER_WAY && !over.aborted) {
      await new Promise<void>((resolve) => wake = resolve);
    }
    const release = await budget.acquire(message.length, over).catch(() => undefined);
    if (release === undefined) return;
    underWay.add(release);
    stream.write(message, () => {
      underWay.delete(release);
      release();
      wake();
    });
  }
  stream.end();
}
