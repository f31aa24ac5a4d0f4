/** One client as the leader reaches it by gRPC. */
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import type { ClientId, SessionId, WeightsId } from "../core/ids.ts";
import type { Benchmark, Evaluation } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { ByteBudget } from "./byte_budget.ts";
import type { Collector } from "./collector.ts";
import { framesOf, type SharedFrames } from "./frames.ts";
import { type Channel, checkOpen } from "./channel.ts";
import { late } from "./failures.ts";
import type { LinkSpeed } from "./link_speed.ts";
import { pump } from "./pump.ts";
import { edgeRpcs, type Rpc } from "./services.ts";
import { rpcErrorOf } from "./status.ts";
import { callTraining, type Receiving } from "./training_call.ts";
import type { CallOptions, ClientLink, Inventory, TrainJob, UpdateSink } from "./transport.ts";
import { benchmarkFromWire, evaluationFromWire, jobToWire, type PackageStep } from "./wire.ts";

/** What all links of a transport send by. */
export interface Sending {
  readonly budget: ByteBudget;
  readonly collector: Collector;
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
  readonly #receiving: Receiving;
  readonly #speed: LinkSpeed;

  constructor(
    name: ClientId,
    sync: Channel,
    async: Channel,
    sending: Sending,
    receiving: Receiving,
    speed: LinkSpeed,
  ) {
    this.#name = name;
    this.#sync = sync;
    this.#async = async;
    this.#sending = sending;
    this.#receiving = receiving;
    this.#speed = speed;
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
    const bytes = Object.values(files.files).reduce((sum, file) => sum + file.length, 0);
    await this.#send(rpc, encoded(steps, rpc.requestSerialize), bytes, call);
    return bytes;
  }

  async putWeights(id: WeightsId, bytes: Uint8Array, call: CallOptions): Promise<number> {
    const rpc = edgeRpcs().store.PutWeights;
    const header = rpc.requestSerialize({ header: { id, size: bytes.length } });
    const transfer = this.#sending.weights.join(bytes);
    try {
      await this.#send(rpc, preceded(header, transfer.frames), bytes.length, call);
    } finally {
      transfer.leave();
    }
    return bytes.length;
  }

  train(job: TrainJob, sink: UpdateSink, call: CallOptions): Promise<void> {
    const channel = this.#async;
    const peer = this.#peer(channel.address);
    return callTraining({ channel, peer, speed: this.#speed }, job, sink, this.#receiving, call);
  }

  async validate(job: TrainJob, call: CallOptions): Promise<Evaluation> {
    const rpc = edgeRpcs().training.StartValidation;
    const { evaluation } = await this.#ask(this.#async, rpc, jobToWire(job), call);
    return evaluationFromWire(evaluation);
  }

  async benchmark(job: TrainJob, call: CallOptions): Promise<Benchmark> {
    const rpc = edgeRpcs().training.InitBench;
    return benchmarkFromWire(await this.#ask(this.#async, rpc, jobToWire(job), call));
  }

  async release(session: SessionId, call: CallOptions): Promise<void> {
    await this.#ask(this.#async, edgeRpcs().training.ReleaseSession, { session }, call);
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
        done,
      ));
  }

  async #send<Request, Response>(
    rpc: Rpc<Request, Response>,
    messages: Iterable<Buffer>,
    bytes: number,
    call: CallOptions,
  ): Promise<void> {
    const { client, address } = this.#sync;
    const peer = this.#peer(address);
    checkOpen(this.#sync, peer, call.signal);
    const over = new AbortController();
    const timed = this.#speed.time(bytes);
    const answered = settle<Response>(peer, call, (done, expire) => {
      const stream = client.makeClientStreamRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize as (bytes: Buffer) => Response,
        new Metadata(),
        done,
      );
      // The callback tells of every failure; a write to a call that has ended must not throw too.
      stream.on("error", () => {});
      const { budget, collector } = this.#sending;
      const begun = () => timed.begin(expire);
      void pump(stream, messages, bytes, budget, collector, over.signal, begun);
      return stream;
    });
    try {
      await answered;
      timed.moved();
    } finally {
      timed.end();
      over.abort();
    }
  }
}

/**
 * The longest time that a timer can wait: 24 days. Deadlines are kept by timers, as those of grpc-js
 * are times of day, and a clock that is put forward would end every call that waits to be sent.
 */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Runs a call that ends with a callback, and cancels it on the signal or at its deadline, or as late
 * when `expire` is called.
 */
function settle<Response>(
  peer: string,
  call: CallOptions,
  start: (
    done: (error: ServiceError | null, response?: Response) => void,
    expire: () => void,
  ) => { cancel(): void },
): Promise<Response> {
  const { signal } = call;
  return new Promise((resolve, reject) => {
    let isLate = false;
    const cancel = () => running.cancel();
    const expire = () => {
      isLate = true;
      cancel();
    };
    const timer = setTimeout(expire, Math.min(call.deadlineMs, MAX_TIMER_MS));
    const running = start((error, response) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      if (error === null) resolve(response!);
      else if (isLate) reject(late(peer));
      else reject(rpcErrorOf(error, peer, signal));
    }, expire);
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
