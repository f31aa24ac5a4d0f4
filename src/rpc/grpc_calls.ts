/** Turns handlers that are plain async functions into those of grpc-js. */
import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import { once } from "node:events";
import { FlotillaError } from "../core/errors.ts";
import type { Logger } from "../log/log.ts";
import { type Refusal, statusOf } from "./status.ts";

/** Messages as services may give them: plain, or encoded already. */
export type Encodable<Message> = Message | Uint8Array;

/** Answers one request with one message; the signal aborts when the leader is gone. */
export function unary<Request, Response>(
  logger: Logger,
  answer: (request: Request, signal: AbortSignal) => Promise<Response>,
): handleUnaryCall<Request, Response> {
  return function handleUnary(call, callback) {
    Promise.try(answer, call.request, abortedBy(call)).then(
      (response) => callback(null, response),
      (error) => callback(refusal(error, logger)),
    );
  };
}

/** Answers a stream of requests with one message. */
export function collecting<Request, Response>(
  logger: Logger,
  answer: (requests: AsyncIterable<Request>) => Promise<Response>,
): handleClientStreamingCall<Request, Response> {
  return function handleStream(call, callback) {
    // A leader that hangs up is an error of the stream; the iterator reports it to the handler.
    call.on("error", () => {});
    Promise.try(answer, endedBy(call, abortedBy(call))).then(
      (response) => callback(null, response),
      (error) => callback(refusal(error, logger)),
    );
  };
}

/** Answers one request with a stream, written by `answer`. */
export function streaming<Request, Response>(
  logger: Logger,
  answer: (
    request: Request,
    stream: ServerWritableStream<Request, Response>,
    signal: AbortSignal,
  ) => Promise<void>,
): handleServerStreamingCall<Request, Response> {
  return function handleStreaming(call) {
    Promise.try(answer, call.request, call, abortedBy(call)).then(
      () => call.end(),
      (error) => {
        if (!call.cancelled) call.emit("error", refusal(error, logger));
      },
    );
  };
}

/** Writes a message and waits while the stream is full. @throws the signal's reason on abort */
export async function write<Response>(
  stream: ServerWritableStream<unknown, Response>,
  message: Response,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  if (!stream.write(message)) await once(stream, "drain", { signal });
}

/** A handler for calls that are declared but not offered. */
export function unimplemented(details: string): handleUnaryCall<unknown, unknown> {
  return function handleUnimplemented(_call, callback) {
    callback({ code: status.UNIMPLEMENTED, details });
  };
}

function refusal(error: unknown, logger: Logger): Refusal {
  const answer = statusOf(error);
  if (!(error instanceof FlotillaError)) {
    logger.error("rpc_handler_failed", `A call failed unexpectedly: ${answer.details}`, {
      stack: error instanceof Error ? error.stack ?? null : null,
    });
  }
  return answer;
}

/** Where grpc-js says that the other side is gone or late. */
interface Cancellable {
  on(event: "cancelled", listener: () => void): unknown;
}

function abortedBy(call: Cancellable): AbortSignal {
  const gone = new AbortController();
  call.on("cancelled", () => {
    gone.abort(new FlotillaError("Cannot finish the call as the leader ended it"));
  });
  return gone.signal;
}

/** Passes requests on; throws when the leader goes away, which the stream itself takes for its end. */
async function* endedBy<Request>(
  requests: AsyncIterable<Request>,
  gone: AbortSignal,
): AsyncGenerator<Request> {
  yield* requests;
  gone.throwIfAborted();
}
