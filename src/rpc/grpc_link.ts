/** One client as the leader reaches it by gRPC. */
import {
  type CallOptions as GrpcCallOptions,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import { FlotillaError } from "../core/errors.ts";
import type { ClientId, WeightsId } from "../core/ids.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { ByteBudget } from "./byte_budget.ts";
import { framesOf, type SharedFrames } from "./frames.ts";
import type { Channel } from "./channel.ts";
import { pump } from "./pump.ts";
import { exactly } from "./receive.ts";
import { edgeRpcs, type Rpc } from "./services.ts";
import { cancelled, late, unavailable } from "./failures.ts";
import { rpcErrorOf } from "./status.ts";
import type { CallOptions, ClientLink, Inventory, TrainJob, UpdateSink } from "./transport.ts";
import {
  breach,
  evaluationFromWire,
  jobToWire,
  type PackageStep,
  progressFromWire,
  type TrainingEvent,
  type UpdateChunk,
  updateFromWire,
} from "./wire.ts";

/** The longest time that a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Share of the budget that one update takes at the most, in bytes: a large one streams through in
 * frames and must not shut all others out.
 */
const MAX_UPDATE_SHARE = 8 * 1024 * 1024;

/** What all links of a transport send by. */
export interface Sending {
  readonly budget: ByteBudget;
  /** Bounds the updates that come in at the same time. */
  readonly incoming: ByteBudget;
  /** Frames of weights, encoded. */
  readonly weights: SharedFrames;
  readonly frameBytes: number;
}

/** A link over two channels. */
export class GrpcLink implements ClientLink {
  readonly #name: ClientId;
  readonly #sync: Channel;
  readonly #async: Channel;
  readonly #sending: Sending;
  readonly #maxUpdateBytes: number;

  constructor(
    name: ClientId,
    sync: Channel,
    async: Channel,
    sending: Sending,
    maxUpdateBytes: number,
  ) {
    this.#name = name;
    this.#sync = sync;
    this.#async = async;
    this.#sending = sending;
    this.#maxUpdateBytes = maxUpdateBytes;
  }

  async echo(text: string, call: CallOptions): Promise<string> {
    return (await this.#ask(this.#sync, edgeRpcs().edge.Echo, { text }, call)).text;
  }

  async inventory(asked: Inventory, call: CallOptions): Promise<Inventory> {
    const rpc = edgeRpcs().store.Inventory;
    const { packages, weights } = await this.#ask(this.#sync, rpc, asked, call);
    return { packages, weights };
  }

  async putModelPackage(files: ModelPackage, call: CallOptions): Promise<number> {
    const rpc = edgeRpcs().store.PutModelPackage;
    const steps = packageSteps(files, this.#sending.frameBytes);
    await this.#send(rpc, encoded(steps, rpc.requestSerialize), call);
    return Object.values(files.files).reduce((sum, bytes) => sum + bytes.length, 0);
  }

  async putWeights(id: WeightsId, bytes: Uint8Array, call: CallOptions): Promise<number> {
    const rpc = edgeRpcs().store.PutWeights;
    const header = rpc.requestSerialize({ header: { id, size: bytes.length } });
    const transfer = this.#sending.weights.join(bytes);
    try {
      await this.#send(rpc, preceded(header, transfer.frames), call);
    } finally {
      transfer.leave();
    }
    return bytes.length;
  }

  async train(job: TrainJob, sink: UpdateSink, call: CallOptions): Promise<void> {
    const { client, address } = this.#async;
    const peer = this.#peer(address);
    checkOpen(this.#async, peer, call.signal);
    const { path, requestSerialize, responseDeserialize } = edgeRpcs().training.StartTraining;
    const stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => TrainingEvent,
      jobToWire(job),
      new Metadata(),
      bounds(call),
    );
    const ended = Promise.withResolvers<never>();
    stream.on("error", (error) => {
      ended.reject(rpcErrorOf(error as ServiceError, peer, call.signal));
    });
    // The call may be over while the sink still works on what has come.
    const cancel = () => ended.reject(cancelled(peer));
    call.signal.addEventListener("abort", cancel, { once: true });
    const timer = setTimeout(
      () => ended.reject(late(peer)),
      Math.min(call.deadlineMs, MAX_TIMER_MS),
    );
    const over = new AbortController();
    try {
      await Promise.race([ended.promise, this.#deliver(stream, sink, peer, call, over.signal)]);
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener("abort", cancel);
      over.abort(cancelled(peer));
      stream.cancel();
    }
  }

  async validate(job: TrainJob, call: CallOptions): Promise<Evaluation> {
    const rpc = edgeRpcs().training.StartValidation;
    const { evaluation } = await this.#ask(this.#async, rpc, jobToWire(job), call);
    return evaluationFromWire(evaluation);
  }

  close(): void {
    this.#sync.release();
    this.#async.release();
  }

  #peer(address: string): string {
    return `client ${this.#name} at ${address}`;
  }

  async #ask<Request, Response>(
    channel: Channel,
    rpc: Rpc<Request, Response>,
    request: Request,
    call: CallOptions,
  ): Promise<Response> {
    const peer = this.#peer(channel.address);
    checkOpen(channel, peer, call.signal);
    return await settle<Response>(peer, call, (done) =>
      channel.client.makeUnaryRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize as (bytes: Buffer) => Response,
        request,
        new Metadata(),
        bounds(call),
        done,
      ));
  }

  async #send<Request, Response>(
    rpc: Rpc<Request, Response>,
    messages: Iterable<Buffer>,
    call: CallOptions,
  ): Promise<void> {
    const { client, address } = this.#sync;
    const peer = this.#peer(address);
    checkOpen(this.#sync, peer, call.signal);
    const over = new AbortController();
    const answered = settle<Response>(peer, call, (done) => {
      const stream = client.makeClientStreamRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize as (bytes: Buffer) => Response,
        new Metadata(),
        bounds(call),
        done,
      );
      // The callback tells of every failure; a write to a call that has ended must not throw too.
      stream.on("error", () => {});
      void pump(stream, messages, this.#sending.budget, over.signal);
      return stream;
    });
    try {
      await answered;
    } finally {
      over.abort();
    }
  }

  /** @param over aborts when the training call is over, for whatever reason */
  async #deliver(
    stream: ClientReadableStream<TrainingEvent>,
    sink: UpdateSink,
    peer: string,
    call: CallOptions,
    over: AbortSignal,
  ): Promise<void> {
    const events = messagesOf(stream, peer, call.signal);
    let next = await events.next();
    for (; !next.done && next.value.progress; next = await events.next()) {
      sink.progress(progressFromWire(next.value.progress));
    }
    if (next.done || !next.value.update) throw breach(`the end of training without an update`);
    const header = updateFromWire(next.value.update);
    if (header.bytes > this.#maxUpdateBytes) {
      throw new FlotillaError(
        `Cannot accept an update of ${header.bytes} bytes from ${peer}: at most ${this.#maxUpdateBytes}`,
      );
    }
    const { incoming } = this.#sending;
    const release = await incoming.acquire(Math.min(header.bytes, MAX_UPDATE_SHARE), over);
    try {
      const bytes = exactly(header.bytes, this.#fetch(header.weights, peer, call, over));
      await sink.update(header, bytes);
      // A sink that needs no more bytes leaves the rest; the client ends when all were fetched.
      for await (const _ of bytes);
    } finally {
      release();
    }
    const last = await events.next();
    if (last.done || !last.value.done) throw breach("no end of training after its update");
  }

  /** The bytes of an update that the client holds. */
  async *#fetch(
    weights: WeightsId,
    peer: string,
    call: CallOptions,
    over: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { path, requestSerialize, responseDeserialize } = edgeRpcs().training.FetchUpdate;
    const stream = this.#async.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize as (bytes: Buffer) => UpdateChunk,
      { weights },
      new Metadata(),
      bounds(call),
    );
    // Reading reports every failure; one that comes when nobody reads any more is no news.
    stream.on("error", () => {});
    const cancel = () => stream.cancel();
    over.addEventListener("abort", cancel, { once: true });
    try {
      for await (const { chunk } of messagesOf(stream, peer, call.signal)) yield chunk;
    } finally {
      over.removeEventListener("abort", cancel);
      cancel();
    }
  }
}

/** @throws {RpcError} a call cannot begin */
function checkOpen(channel: Channel, peer: string, signal: AbortSignal): void {
  if (signal.aborted) throw cancelled(peer);
  if (channel.closed) throw unavailable(peer, "the link is closed");
}

function bounds(call: CallOptions): GrpcCallOptions {
  return { deadline: Date.now() + call.deadlineMs };
}

/** Runs a call that ends with a callback, and cancels it on the signal. */
function settle<Response>(
  peer: string,
  call: CallOptions,
  start: (done: (error: ServiceError | null, response?: Response) => void) => { cancel(): void },
): Promise<Response> {
  const { signal } = call;
  return new Promise((resolve, reject) => {
    const cancel = () => running.cancel();
    const running = start((error, response) => {
      signal.removeEventListener("abort", cancel);
      if (error === null) resolve(response!);
      else reject(rpcErrorOf(error, peer, signal));
    });
    signal.addEventListener("abort", cancel, { once: true });
  });
}

/** Each message in its encoding. */
function* encoded<Message>(
  messages: Iterable<Message>,
  serialize: (message: Message) => Buffer,
): Generator<Buffer> {
  for (const message of messages) yield serialize(message);
}

function* preceded(first: Buffer, rest: Iterable<Buffer>): Generator<Buffer> {
  yield first;
  yield* rest;
}

function* packageSteps(files: ModelPackage, frameBytes: number): Generator<PackageStep> {
  yield { header: { modelId: files.id, hash: files.hash } };
  for (const [path, bytes] of Object.entries(files.files)) {
    yield { file: { path, size: bytes.length } };
    for (const chunk of framesOf(bytes, frameBytes)) yield { chunk };
  }
}

/** The stream's messages, with the contract's errors. */
async function* messagesOf<Message>(
  stream: ClientReadableStream<Message>,
  peer: string,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  try {
    yield* stream;
  } catch (error) {
    throw rpcErrorOf(error as ServiceError, peer, signal);
  }
}
