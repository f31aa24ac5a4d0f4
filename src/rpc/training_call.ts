/**
 * A training call as the leader makes it: progress while the client trains, then its update, fetched
 * when the leader has room for it. However many clients end at once, what is under way from all of
 * them together stays within one budget.
 */
import { type ClientReadableStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Buffer } from "node:buffer";
import { FlotillaError } from "../core/errors.ts";
import type { ByteBudget } from "./byte_budget.ts";
import { type Channel, checkOpen } from "./channel.ts";
import type { Collector } from "./collector.ts";
import type { LinkSpeed, TimedTransfer } from "./link_speed.ts";
import { cancelled, late, unavailable } from "./failures.ts";
import { takePlace } from "./place.ts";
import { exactly } from "./receive.ts";
import { edgeRpcs, type Rpc } from "./services.ts";
import { rpcErrorOf } from "./status.ts";
import type { CallOptions, TrainJob, UpdateHeader, UpdateSink } from "./transport.ts";
import {
  breach,
  jobToWire,
  progressFromWire,
  type TrainingEvent,
  type UpdateChunk,
  updateFromWire,
} from "./wire.ts";

/** The longest time that a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** What all training calls of a transport receive by. */
export interface Receiving {
  /** Places of the fetches that go on. */
  readonly budget: ByteBudget;
  readonly collector: Collector;
  /** Largest update that a client may send. */
  readonly maxUpdateBytes: number;
}

/** Where a training call goes. */
export interface TrainingPeer {
  readonly channel: Channel;
  /** Who it is, for errors. */
  readonly peer: string;
  readonly speed: LinkSpeed;
}

/** Makes one training call; see `ClientLink.train`. */
export async function callTraining(
  { channel, peer, speed }: TrainingPeer,
  job: TrainJob,
  sink: UpdateSink,
  receiving: Receiving,
  call: CallOptions,
): Promise<void> {
  checkOpen(channel, peer, call.signal);
  const { StartTraining, FetchUpdate } = edgeRpcs().training;
  const ended = Promise.withResolvers<never>();
  const over = new AbortController();
  // The call may be over while the sink still works on what has come.
  const cancel = () => ended.reject(cancelled(peer));
  call.signal.addEventListener("abort", cancel, { once: true });
  let fetching: TimedTransfer | undefined;
  // By timers, as deadlines of grpc-js are times of day, and the clock may jump.
  const timer = setTimeout(() => ended.reject(late(peer)), Math.min(call.deadlineMs, MAX_TIMER_MS));

  function open<Request, Response>(
    rpc: Rpc<Request, Response>,
    request: Request,
  ): AsyncGenerator<Response> {
    const stream = channel.client.makeServerStreamRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize as (bytes: Buffer) => Response,
      request,
      new Metadata(),
    );
    const errorOf = (error: unknown) => rpcErrorOf(error as ServiceError, peer, call.signal);
    stream.on("error", (error) => {
      // Without a status it is not the call's: a sink that leaves the bytes tears the stream down.
      if (typeof (error as ServiceError).code === "number") ended.reject(errorOf(error));
    });
    over.signal.addEventListener("abort", () => stream.cancel(), { once: true });
    return messagesOf(stream, errorOf);
  }

  async function deliver(): Promise<void> {
    const events = open(StartTraining, jobToWire(job));
    const header = await announced(events, sink);
    if (header.bytes > receiving.maxUpdateBytes) {
      throw new FlotillaError(
        `Cannot accept an update of ${header.bytes} bytes from ${peer}: at most ${receiving.maxUpdateBytes}`,
      );
    }
    await takePlace(receiving.budget, header.bytes, over.signal);
    // The client keeps its update: the call may be made again.
    const transfer = fetching = speed.time(header.bytes);
    transfer.begin(() => ended.reject(unavailable(peer, "its update comes too slowly")));
    const fetched = open(FetchUpdate, { weights: header.weights });
    const bytes = timed(transfer, exactly(header.bytes, chunksOf(fetched, receiving.collector)));
    await sink.update(header, bytes);
    // A sink that needs no more bytes leaves the rest; the client counts them before it is done.
    for await (const _ of bytes);
    const last = await events.next();
    if (last.done || !last.value.done) throw breach("an update that does not end");
  }

  try {
    await Promise.race([ended.promise, deliver()]);
  } finally {
    clearTimeout(timer);
    fetching?.end();
    call.signal.removeEventListener("abort", cancel);
    over.abort();
  }
}

/** Passes progress on until the update is announced. */
async function announced(
  events: AsyncGenerator<TrainingEvent>,
  sink: UpdateSink,
): Promise<UpdateHeader> {
  for (let next = await events.next(); !next.done; next = await events.next()) {
    const { progress, update } = next.value;
    if (update) return updateFromWire(update);
    if (!progress) break;
    sink.progress(progressFromWire(progress));
  }
  throw breach("the end of training without an update");
}

/** The stream's messages, with the contract's errors. */
async function* messagesOf<Message>(
  stream: ClientReadableStream<Message>,
  errorOf: (error: unknown) => Error,
): AsyncGenerator<Message> {
  try {
    yield* stream;
  } catch (error) {
    throw errorOf(error);
  }
}

/** Times a transfer while it is read: a sink may wait for room to put what it has. */
async function* timed(
  transfer: TimedTransfer,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* bytes;
    transfer.moved();
  } finally {
    transfer.end();
  }
}

async function* chunksOf(
  messages: AsyncGenerator<UpdateChunk>,
  collector: Collector,
): AsyncGenerator<Uint8Array> {
  for await (const { chunk } of messages) {
    yield chunk;
    collector.moved(chunk.length);
  }
}
