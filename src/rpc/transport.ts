/**
 * What a leader can ask of one client, and what a client must be able to answer. Variants: gRPC
 * (the leader dials the client) and in-process.
 */
import type { ClientId, PackageHash, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Benchmark, Evaluation, TrainingMetrics } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";

/** Bounds of a call: both end it with an `RpcError`. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds from now after which the call fails. */
  readonly deadlineMs: number;
}

/** How a client shall train; names and meaning of the session config's `client_training_config`. */
export interface TrainingOptions {
  /** Items a step. */
  readonly batchSize: number;
  /** Passes over the local data. */
  readonly epochs: number;
  readonly learningRate: number;
  /** Name in the loss registry, such as `crossentropy`. */
  readonly loss: string;
  /** Name in the optimizer registry, such as `sgd`. */
  readonly optimizer: string;
  readonly optimizerArgs: JsonObject;
  /** Weight of FedProx's pull to the global weights. @default {0}, no pull */
  readonly proximalMu?: number;
  /** Seconds after which training stops with what it has; null for no limit. */
  readonly timeLimitSeconds: number | null;
  /** Mini-batches after which training stops with what it has; null for no limit. */
  readonly maxMiniBatches: number | null;
}

/** One piece of work for one client: everything but the bytes, which the client holds already. */
export interface TrainJob {
  readonly session: string;
  /** Counts from 1. */
  readonly round: number;
  readonly modelId: string;
  readonly packageHash: PackageHash;
  readonly modelArgs: JsonObject;
  /** Name of the client's dataset folder. */
  readonly dataset: string;
  /** The global weights to start from. */
  readonly weights: WeightsId;
  readonly options: TrainingOptions;
  /** Seed of shuffling, splitting and dropout: an unsigned 32-bit number. */
  readonly seed: number;
  /** `train`, or `echo`, which answers with the weights it got, for measuring the rest. */
  readonly trainer: "train" | "echo";
}

/** How far a client's training has come. */
export interface TrainProgress {
  readonly batchesDone: number;
  readonly batchesTotal: number;
  /** Mean loss so far; null before the first batch. */
  readonly loss: number | null;
}

/** What a client says of its update, ahead of the update's bytes. */
export interface UpdateHeader {
  /** SHA-256 of the encoded weights that follow. */
  readonly weights: WeightsId;
  /** Size of the encoded weights. */
  readonly bytes: number;
  /** Items trained on: the update's weight in an average. */
  readonly samples: number;
  readonly metrics: TrainingMetrics;
}

/** Takes an update as it arrives. */
export interface UpdateSink {
  progress(progress: TrainProgress): void;
  /**
   * Takes the header and the bytes. It throws to refuse them (too large, wrong hash), which cancels
   * the call.
   */
  update(header: UpdateHeader, bytes: AsyncIterable<Uint8Array>): Promise<void>;
}

/** Which packages and weights a client may hold. */
export interface Inventory {
  readonly packages: readonly PackageHash[];
  readonly weights: readonly WeightsId[];
}

/**
 * The leader's handle on one client. Where bytes move over a network, each transfer has a deadline
 * beside the call's, which follows from its size and the measured speed of the link, and begins when
 * it does. Every call throws `RpcError`: `unavailable` (nobody answers),
 * `deadline`, `cancelled` (by the signal), `refused` (the client said no, and why), `protocol`.
 */
export interface ClientLink {
  /** Sends a text that the client sends back as `Ack`, or, for the original, the same text. */
  echo(text: string, call: CallOptions): Promise<string>;
  /** The subset of the asked ones that the client holds. */
  inventory(asked: Inventory, call: CallOptions): Promise<Inventory>;
  /** @returns bytes sent */
  putModelPackage(files: ModelPackage, call: CallOptions): Promise<number>;
  /** Streams encoded weights. @returns bytes sent */
  putWeights(id: WeightsId, bytes: Uint8Array, call: CallOptions): Promise<number>;
  /**
   * Trains and delivers the update to the sink; resolves when the sink has taken it. A call that is
   * cancelled or cut off leaves the training going, and the next call with the same job joins it or
   * gets its result.
   */
  train(job: TrainJob, sink: UpdateSink, call: CallOptions): Promise<void>;
  /** Evaluates the job's weights on the client's own test split. */
  validate(job: TrainJob, call: CallOptions): Promise<Evaluation>;
  /** Measures how fast the client does the job, within the job's limits; no update comes of it. */
  benchmark(job: TrainJob, call: CallOptions): Promise<Benchmark>;
  /** Tells the client that no result of the session is wanted any more: it drops what it keeps. */
  release(session: SessionId, call: CallOptions): Promise<void>;
  close(): void;
}

/** Where a client listens. */
export interface ClientEndpoints {
  /** `host:port` for short calls and for what the leader sends. */
  readonly sync: string;
  /** `host:port` for training. */
  readonly async: string;
}

/** Opens links; a link is cheap until its first call. */
export interface Transport {
  connect(client: ClientId, endpoints: ClientEndpoints): ClientLink;
  close(): void;
}

/** An update that a client has ready: header and encoded weights. */
export interface FinishedUpdate {
  readonly header: UpdateHeader;
  readonly bytes: Uint8Array;
}

/**
 * What a client answers; the transport calls it. A thrown `FlotillaError` reaches the leader as
 * `refused` with its message.
 */
export interface EdgeHandlers {
  echo(text: string): string;
  inventory(asked: Inventory): Promise<Inventory>;
  /** Takes one file of a package from the original's `StreamFile`. @returns the answer's text */
  receiveFile(modelId: string, fileName: string, bytes: Uint8Array): Promise<string>;
  /** Takes a whole package; the transport has not checked the hash. */
  receivePackage(modelPackage: ModelPackage): Promise<void>;
  /** Takes encoded weights as they arrive; checks size and hash. */
  receiveWeights(id: WeightsId, size: number, bytes: AsyncIterable<Uint8Array>): Promise<void>;
  /**
   * Trains, or delivers the result of the same job again; the signal aborts when nobody waits for
   * the answer any more, which ends the call and not the training.
   */
  train(
    job: TrainJob,
    onProgress: (progress: TrainProgress) => void,
    signal: AbortSignal,
  ): Promise<FinishedUpdate>;
  validate(job: TrainJob, signal: AbortSignal): Promise<Evaluation>;
  /** Trains within the job's limits for the time that it takes alone. */
  benchmark(job: TrainJob, signal: AbortSignal): Promise<Benchmark>;
  /** Ends the session's trainings and drops its results. */
  release(session: SessionId): Promise<void>;
}
