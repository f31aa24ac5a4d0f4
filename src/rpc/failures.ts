/** The failures of a call that no client decides, worded alike in all transports. */
import { RpcError } from "../core/errors.ts";

/** The error of a call that its caller's signal ended. */
export function cancelled(peer: string): RpcError {
  return new RpcError("cancelled", `Cannot finish the call to ${peer} as it was cancelled`);
}

/** The error of a call whose deadline passed. */
export function late(peer: string): RpcError {
  return new RpcError("deadline", `Cannot wait longer for ${peer} as the deadline has passed`);
}

/** The error of a call that nobody answers. */
export function unavailable(peer: string, reason: string, options?: ErrorOptions): RpcError {
  return new RpcError("unavailable", `Cannot reach ${peer}: ${reason}`, options);
}

/** The error of a call whose answer makes no sense, or that failed by a fault in the client. */
export function failed(peer: string, reason: string, options?: ErrorOptions): RpcError {
  return new RpcError(
    "protocol",
    `Cannot finish the call to ${peer} as it failed: ${reason}`,
    options,
  );
}
