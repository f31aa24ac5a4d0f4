/** `GET /api/v1/sessions/:id/events`: a run as server-sent events, which a reader can resume. */
import type { Hono } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { messageOf } from "../../core/errors.ts";
import type { SessionId } from "../../core/ids.ts";
import type { StreamItem } from "../../session/events.ts";
import type { Rest, RestContext, RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";

/**
 * Adds the route to the app. A journal entry is sent with its sequence number as id, so that
 * `Last-Event-ID` (or `?after=`) continues where a broken connection ended; live notes have none.
 */
export function routeEvents(app: Hono<RestEnv>, rest: Rest): void {
  app.get("/api/v1/sessions/:id/events", async (c) => {
    const afterSeq = readAfter(c);
    const { id, seq, endedAt } = await rest.service.get(c.req.param("id"));
    // Nothing can follow: 204 is what makes a browser's EventSource stop reconnecting.
    if (endedAt !== null && afterSeq >= seq) return c.body(null, 204);
    c.header("X-Accel-Buffering", "no");
    return streamSSE(c, (stream) => send(stream, c, rest, id, afterSeq));
  });
}

async function send(
  stream: SSEStreamingApi,
  c: RestContext,
  { service, heartbeatMs, log }: Rest,
  id: SessionId,
  afterSeq: number,
): Promise<void> {
  const end = new AbortController();
  // The request's own signal is of no use: it aborts on success too, and its use prints a warning.
  stream.onAbort(() => end.abort());
  const closing = c.env?.closing ?? end.signal;
  const signal = AbortSignal.any([end.signal, closing]);
  const heartbeat = setInterval(() => void stream.write(": heartbeat\n\n"), heartbeatMs);
  try {
    for await (const item of service.follow(id, afterSeq, signal)) {
      if (signal.aborted) return;
      await sendItem(stream, item);
    }
  } catch (error) {
    // The answer has begun: closing it makes the reader come back with the last id it has.
    if (!signal.aborted) log.error("rest_failed", `events of ${id}: ${messageOf(error)}`);
  } finally {
    clearInterval(heartbeat);
  }
}

function sendItem(stream: SSEStreamingApi, item: StreamItem): Promise<void> {
  if (item.kind === "note") {
    return stream.writeSSE({ event: "note", data: JSON.stringify(item.note) });
  }
  const { entry } = item;
  return stream.writeSSE({
    id: String(entry.seq),
    event: entry.event.type,
    data: JSON.stringify(entry),
  });
}

function readAfter(c: RestContext): number {
  // A browser that reconnects sends both: the header is the newer one.
  const text = c.req.header("last-event-id") ?? c.req.query("after") ?? "0";
  if (!/^\d{1,15}$/.test(text)) {
    throw new RestError(
      400,
      "invalid_request",
      `Cannot resume events after "${text}": Last-Event-ID and after are sequence numbers`,
    );
  }
  return Number(text);
}
