/** Translates errors to gRPC statuses, on the client, and back to the contract's, on the leader. */
import { type ServiceError, status } from "@grpc/grpc-js";
import { FlotillaError, messageOf, RpcError } from "../core/errors.ts";
import { cancelled, failed, late, unavailable } from "./failures.ts";

/** Details travel in a header, of which HTTP/2 peers accept 8 to 16 KiB, with escapes. */
const MAX_DETAILS = 2000;

/** A status as a handler answers it. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
}

/** The status that tells the leader of a handler's error. */
export function statusOf(error: unknown): Refusal {
  const details = messageOf(error).slice(0, MAX_DETAILS);
  if (error instanceof RpcError && error.failure === "protocol") {
    return { code: status.INVALID_ARGUMENT, details };
  }
  if (error instanceof FlotillaError) return { code: status.FAILED_PRECONDITION, details };
  return { code: status.INTERNAL, details };
}

/**
 * The contract's error for a call that failed.
 *
 * @param peer whom the call was to, for the message
 */
export function rpcErrorOf(error: ServiceError, peer: string, signal: AbortSignal): RpcError {
  const { code, details } = error;
  const options = { cause: error };
  if (signal.aborted) return cancelled(peer);
  switch (code) {
    case status.FAILED_PRECONDITION:
      return new RpcError("refused", details, options);
    case status.DEADLINE_EXCEEDED:
      return late(peer);
    case status.UNAVAILABLE:
    // The caller's signal is quiet, so it was the client that ended the call: it is going away.
    case status.CANCELLED:
      return unavailable(peer, details, options);
    case status.INVALID_ARGUMENT:
      return new RpcError("protocol", details, options);
    default:
      // So grpc-js words a connection that breaks in mid-call; no handler of ours says it.
      return /^Received RST_STREAM/.test(details)
        ? unavailable(peer, details, options)
        : failed(peer, details, options);
  }
}
