/**
 * The leader's end of the wire: dials clients by gRPC. Import it only when a transport is to be
 * opened, as grpc-js costs start-up time.
 */
import type { ClientId } from "../core/ids.ts";
import { ByteBudget } from "./byte_budget.ts";
import { Channels } from "./channel.ts";
import { Collector } from "./collector.ts";
import { checkFrameBytes, DEFAULT_FRAME_BYTES, MAX_FRAME_BYTES, SharedFrames } from "./frames.ts";
import { GrpcLink } from "./grpc_link.ts";
import { ALLOWANCE_MS, LinkSpeed } from "./link_speed.ts";
import { edgeRpcs } from "./services.ts";
import type { Transport } from "./transport.ts";
import { WINDOW_BYTES } from "./windows.ts";

/** How to dial clients. */
export interface GrpcTransportOptions {
  /** Bytes of a frame that the leader sends, up to 1 MiB. @default {262144} */
  readonly frameBytes?: number;
  /** Bytes under way to all clients together. @default {4194304} */
  readonly budgetBytes?: number;
  /** Bytes of updates that come in at the same time. @default {4194304} */
  readonly incomingBytes?: number;
  /** Largest update that a client may send. @default {1048576000} */
  readonly maxUpdateBytes?: number;
  /** Milliseconds of silence during a call after which a client is asked for a sign of life. @default {20000} */
  readonly keepaliveMs?: number;
  /** Milliseconds that the sign of life may take before the client counts as dead. @default {10000} */
  readonly keepaliveTimeoutMs?: number;
  /** Milliseconds that a transfer may take beside its bytes. @default {30000} */
  readonly transferAllowanceMs?: number;
}

/** A transport whose links share channels, one an address, and a budget each way. */
export function createGrpcTransport(options: GrpcTransportOptions = {}): Transport {
  const {
    frameBytes = DEFAULT_FRAME_BYTES,
    budgetBytes = 4 * 1024 * 1024,
    incomingBytes = 4 * 1024 * 1024,
    maxUpdateBytes = 1000 * 1024 * 1024,
    keepaliveMs = 20_000,
    keepaliveTimeoutMs = 10_000,
    transferAllowanceMs = ALLOWANCE_MS,
  } = options;
  checkFrameBytes(frameBytes);
  const serialize = edgeRpcs().store.PutWeights.requestSerialize;
  const channels = new Channels({
    "grpc.keepalive_time_ms": keepaliveMs,
    "grpc.keepalive_timeout_ms": keepaliveTimeoutMs,
    // A client that comes back within a second must not meet the two minutes of stock back-off.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    "grpc.max_receive_message_length": MAX_FRAME_BYTES + 64 * 1024,
    "grpc-node.flow_control_window": WINDOW_BYTES,
    // Retries would keep a copy of all that was written.
    "grpc.enable_retries": 0,
    // An idle channel would be closed politely, by the GOAWAY that must not be sent.
    "grpc.client_idle_timeout_ms": 2 ** 31 - 1,
    "grpc.enable_http_proxy": 0,
    "grpc.enable_channelz": 0,
    "grpc.use_local_subchannel_pool": 1,
  });
  const collector = new Collector();
  const sending = {
    collector,
    budget: new ByteBudget(budgetBytes),
    weights: new SharedFrames((chunk) => serialize({ chunk }), frameBytes),
    frameBytes,
  };
  const receiving = {
    collector,
    budget: new ByteBudget(incomingBytes),
    maxUpdateBytes,
  };
  // Of clients, as a client that comes back gets another link.
  const speeds = new Map<ClientId, LinkSpeed>();
  return {
    connect(client, endpoints) {
      const sync = channels.open(endpoints.sync);
      const async = channels.open(endpoints.async);
      const speed = speeds.get(client) ?? new LinkSpeed(transferAllowanceMs);
      speeds.set(client, speed);
      return new GrpcLink(client, sync, async, sending, receiving, speed);
    },
    close() {
      channels.close();
    },
  };
}
