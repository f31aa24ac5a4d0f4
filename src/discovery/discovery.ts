/**
 * How leader and clients find each other: small messages over a broker. Field names are those of
 * the wire. The original's payloads are kept; what is ours is optional on receipt.
 */
import type { ClientId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";

/** What a machine is. */
export interface HardwareInfo {
  readonly arch: string;
  /** Number of cores; text, as in the original. */
  readonly cpu_core_count: string;
  readonly model_name: string | null;
  readonly cuda_available: boolean;
}

/** Retained message by which a leader makes itself known. */
export interface LeaderAdvert {
  readonly type: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly grpc_ep: null;
  /** Topic on which clients shall answer. */
  readonly mqtt_client_topic: string;
  readonly cluster_id: null;
  /** Seconds between two heartbeats of a client. */
  readonly heartbeat_interval: number;
  readonly hw_info: HardwareInfo;
}

/** A dataset as a client describes it: `dataset_details` without the file name, and `metadata`. */
export interface DatasetDescription {
  readonly dataset_details: JsonObject;
  readonly metadata: {
    /** Fraction of the items by label. */
    readonly label_distribution?: Readonly<Record<string, number>>;
    readonly num_items: number;
  };
}

/** A client's answer to a leader's advert. */
export interface ClientAdvert {
  readonly type: string;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** `host:port` of the synchronous gRPC port. */
  readonly grpc_ep: string;
  /** `host:port` of the asynchronous gRPC port (training); the original has none. */
  readonly grpc_async_ep?: string;
  readonly cluster_id: number;
  readonly hw_info: HardwareInfo;
  /** By name of the dataset's folder. */
  readonly datasets: Readonly<Record<string, DatasetDescription>>;
  /** Package hash by model id: what the client holds already. */
  readonly models: Readonly<Record<string, string>>;
  readonly benchmark_info: JsonObject;
  /** Such as `workstation_1`. */
  readonly name: string;
}

/** What a leader hears. */
export type ClientMessage =
  | { readonly kind: "advert"; readonly client: ClientId; readonly advert: ClientAdvert }
  | { readonly kind: "heartbeat"; readonly client: ClientId; readonly timestamp: number }
  /** The broker's last will: the connection of this client broke, or it said goodbye. */
  | { readonly kind: "lost"; readonly client: ClientId };

/** The leader's side. */
export interface LeaderDiscovery {
  /** Publishes the retained advert now, and again after each reconnection to the broker. */
  advertise(advert: LeaderAdvert): void;
  /** Calls the listener for each valid message; malformed ones are logged once and dropped. */
  onMessage(listener: (message: ClientMessage) => void): void;
  /** Calls the listener when the connection to the broker breaks (false) or stands again (true). */
  onConnection(listener: (connected: boolean) => void): void;
  close(): Promise<void>;
}

/** The client's side. */
export interface ClientDiscovery {
  /** Calls the listener for each advert of a leader, the retained one included. */
  onLeader(listener: (advert: LeaderAdvert) => void): void;
  /** Answers on the topic that the leader named. */
  announce(advert: ClientAdvert, topic: string): void;
  heartbeat(timestamp: number): void;
  /** Says goodbye, so that the leader does not wait for the last will, and disconnects. */
  close(): Promise<void>;
}
