/** A transport without sockets: calls handlers in the same process, for simulation and tests. */
import { setImmediate } from "node:timers";
import { type Clock, systemClock } from "../core/clock.ts";
import { FlotillaError, messageOf, RpcError } from "../core/errors.ts";
import type { ClientId, SessionId, WeightsId } from "../core/ids.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { cancelled, failed, late, unavailable } from "./failures.ts";
import { checkFrameBytes, DEFAULT_FRAME_BYTES, framesOf } from "./frames.ts";
import { exactly } from "./receive.ts";
import type {
  CallOptions,
  ClientEndpoints,
  ClientLink,
  EdgeHandlers,
  Inventory,
  TrainJob,
  Transport,
  UpdateSink,
} from "./transport.ts";

/** A call that is about to reach a client. */
export interface InProcessCall {
  readonly client: ClientId;
  readonly name: keyof EdgeHandlers;
  /** Aborts when the call is cancelled or its deadline passes. */
  readonly signal: AbortSignal;
}

/** Where clients are and how calls to them go. */
export interface InProcessOptions {
  /** A client's handlers; undefined if nobody answers there. */
  readonly find: (client: ClientId, endpoints: ClientEndpoints) => EdgeHandlers | undefined;
  /** Called before each call: may wait, to delay it, or throw, to fail it. */
  readonly before?: (call: InProcessCall) => void | Promise<void>;
  /** Measures deadlines. @default {systemClock} */
  readonly clock?: Clock;
  /** Bytes of a frame. @default {262144} */
  readonly frameBytes?: number;
}

/**
 * A transport over handlers in this process. Bytes are passed as views, not copies: a receiver must
 * not write to them.
 */
export function createInProcessTransport(options: InProcessOptions): Transport {
  const closed = new AbortController();
  checkFrameBytes(options.frameBytes ?? DEFAULT_FRAME_BYTES);
  return {
    connect: (client, endpoints) => new InProcessLink(client, endpoints, options, closed.signal),
    close: () => closed.abort(),
  };
}

class InProcessLink implements ClientLink {
  readonly #client: ClientId;
  readonly #endpoints: ClientEndpoints;
  readonly #options: InProcessOptions;
  readonly #transportClosed: AbortSignal;
  readonly #closed = new AbortController();

  constructor(
    client: ClientId,
    endpoints: ClientEndpoints,
    options: InProcessOptions,
    transportClosed: AbortSignal,
  ) {
    this.#client = client;
    this.#endpoints = endpoints;
    this.#options = options;
    this.#transportClosed = transportClosed;
  }

  echo(text: string, call: CallOptions): Promise<string> {
    return this.#call("echo", call, (edge) => edge.echo(text));
  }

  inventory(asked: Inventory, call: CallOptions): Promise<Inventory> {
    return this.#call("inventory", call, (edge) => edge.inventory(asked));
  }

  async putModelPackage(files: ModelPackage, call: CallOptions): Promise<number> {
    await this.#call("receivePackage", call, (edge) => edge.receivePackage(files));
    return Object.values(files.files).reduce((sum, bytes) => sum + bytes.length, 0);
  }

  async putWeights(id: WeightsId, bytes: Uint8Array, call: CallOptions): Promise<number> {
    await this.#call(
      "receiveWeights",
      call,
      (edge, signal) => edge.receiveWeights(id, bytes.length, this.#frames(bytes, signal)),
    );
    return bytes.length;
  }

  async train(job: TrainJob, sink: UpdateSink, call: CallOptions): Promise<void> {
    // What the sink throws is the caller's own and reaches it unchanged.
    const outcome = await this.#call("train", call, async (edge, signal) => {
      const { header, bytes } = await edge.train(job, (progress) => {
        if (!signal.aborted) sink.progress(progress);
      }, signal);
      signal.throwIfAborted();
      const update = exactly(header.bytes, this.#frames(bytes, signal));
      return await Promise.try(() => sink.update(header, update)).then(
        () => undefined,
        (error: unknown) => ({ error }),
      );
    });
    if (outcome !== undefined) throw outcome.error;
  }

  validate(job: TrainJob, call: CallOptions): Promise<Evaluation> {
    return this.#call("validate", call, (edge, signal) => edge.validate(job, signal));
  }

  release(session: SessionId, call: CallOptions): Promise<void> {
    return this.#call("release", call, (edge) => edge.release(session));
  }

  close(): void {
    this.#closed.abort();
  }

  async *#frames(bytes: Uint8Array, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const frame of framesOf(bytes, this.#options.frameBytes ?? DEFAULT_FRAME_BYTES)) {
      // Other calls have their turn between two frames, as they have on a network.
      await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      yield frame;
    }
  }

  /** Runs one call until it answers, is cancelled, or its deadline passes. */
  async #call<Answer>(
    name: keyof EdgeHandlers,
    { signal, deadlineMs }: CallOptions,
    run: (edge: EdgeHandlers, signal: AbortSignal) => Answer | Promise<Answer>,
  ): Promise<Answer> {
    const { find, before, clock = systemClock } = this.#options;
    const peer = `client ${this.#client}`;
    const over = new AbortController();
    const ended = new Promise<never>((_, reject) => {
      over.signal.addEventListener("abort", () => reject(over.signal.reason), { once: true });
    });
    const cancel = () => over.abort(cancelled(peer));
    const closeCall = () => over.abort(unavailable(peer, "the link is closed"));
    const answered = new AbortController();
    const listen = { once: true, signal: answered.signal };
    signal.addEventListener("abort", cancel, listen);
    for (const closed of [this.#closed.signal, this.#transportClosed]) {
      closed.addEventListener("abort", closeCall, listen);
      if (closed.aborted) closeCall();
    }
    if (signal.aborted) cancel();
    clock.sleep(deadlineMs, answered.signal).then(
      () => over.abort(late(peer)),
      () => {},
    );
    const answer = async () => {
      over.signal.throwIfAborted();
      await before?.({ client: this.#client, name, signal: over.signal });
      const edge = find(this.#client, this.#endpoints);
      if (edge === undefined) throw unavailable(peer, "nobody answers");
      try {
        return await run(edge, over.signal);
      } catch (error) {
        throw answerOf(error, peer);
      }
    };
    try {
      return await Promise.race([ended, answer()]);
    } finally {
      answered.abort();
    }
  }
}

/** A handler's error as the leader sees it. */
function answerOf(error: unknown, peer: string): RpcError {
  const message = messageOf(error);
  if (error instanceof RpcError && error.failure === "protocol") return error;
  if (error instanceof FlotillaError) return new RpcError("refused", message, { cause: error });
  return failed(peer, message, { cause: error });
}
