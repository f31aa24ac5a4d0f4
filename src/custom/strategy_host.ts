/** The leader's end of a user's strategy: calls into its worker, each within a deadline. */
import { FlotillaError, messageOf } from "../core/errors.ts";
import type { Update } from "../aggregation/aggregator.ts";
import type { Answers, CallName, Calls, FromStrategy, ToStrategy } from "./protocol.ts";

/** Limits of a strategy. */
export interface HostOptions {
  /** Milliseconds that a call may take. @default {60000} */
  readonly callLimitMs?: number;
}

/** Answers what a strategy asks while a call goes on. */
export interface WeightsSource {
  read(of: Update | string, start: number, end: number): Promise<Float32Array>;
  keep(name: string, values: Float32Array): Promise<void>;
}

/** The code is at fault: the message names the file and the function. */
export class StrategyError extends FlotillaError {
  override name = "StrategyError";

  constructor(message: string, readonly reason: string) {
    super(message);
  }
}

interface CallInFlight {
  readonly id: number;
  readonly resolve: (answer: Answers[CallName]) => void;
  readonly reject: (error: unknown) => void;
  readonly source: WeightsSource | undefined;
}

/** One strategy's worker, started with the first call and anew after one that did not end. */
export class StrategyHost {
  readonly #callLimitMs: number;
  #worker: Worker | null = null;
  /** Ends the worker's loops. */
  #ended: Int32Array<SharedArrayBuffer> | null = null;
  #exports: readonly string[] = [];
  #inFlight: CallInFlight | null = null;
  #lastId = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(readonly file: string, readonly code: string, options: HostOptions = {}) {
    this.#callLimitMs = options.callLimitMs ?? 60_000;
  }

  /** Names of the functions that the file exports. @throws {StrategyError} it cannot be loaded */
  exports(): Promise<readonly string[]> {
    return this.#inTurn(async () => {
      await this.#load();
      return this.#exports;
    });
  }

  /**
   * Calls one of the file's functions.
   *
   * @throws {StrategyError} it throws, does not end in time, or is refused what it asks for
   */
  call<K extends CallName>(name: K, given: Calls[K], source?: WeightsSource): Promise<Answers[K]> {
    return this.#inTurn(async () => {
      await this.#load();
      return await this.#call(name, given, source);
    });
  }

  /** Ends the worker; a call in flight is rejected. */
  close(): void {
    this.#end(new StrategyError(`The strategy ${this.file} was closed`, "it was closed"));
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(run);
    this.#queue = turn.catch(() => {});
    return turn;
  }

  async #load(): Promise<void> {
    if (this.#worker !== null) return;
    const worker = new Worker(new URL("./strategy_worker.ts", import.meta.url).href, {
      type: "module",
      name: "strategy",
      deno: { permissions: "none" },
    });
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<FromStrategy>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#end(this.#error("load", event.message));
    };
    worker.onmessageerror = () => this.#end(this.#error("load", "its answer cannot be read"));
    const { file, code } = this;
    this.#ended = new Int32Array(new SharedArrayBuffer(4));
    this.#exports = await this.#call("load", { file, code, ended: this.#ended });
  }

  async #call<K extends CallName>(
    name: K,
    given: Calls[K],
    source?: WeightsSource,
  ): Promise<Answers[K]> {
    const seconds = this.#callLimitMs / 1000;
    const timer = setTimeout(
      () => this.#end(this.#error(name, `it takes over ${seconds} s`)),
      this.#callLimitMs,
    );
    const id = ++this.#lastId;
    try {
      return await new Promise<Answers[K]>((resolve, reject) => {
        this.#inFlight = { id, resolve: resolve as CallInFlight["resolve"], reject, source };
        this.#post({ kind: "call", id, name, given });
      });
    } catch (error) {
      if (error instanceof StrategyError) throw error;
      throw this.#error(name, messageOf(error));
    } finally {
      clearTimeout(timer);
      this.#inFlight = null;
    }
  }

  #receive(message: FromStrategy): void {
    const call = this.#inFlight;
    switch (message.kind) {
      case "done":
        if (message.id === call?.id) call.resolve(message.answer);
        return;
      case "failed":
        if (message.id === call?.id) call.reject(new Error(message.reason));
        return;
      case "read":
      case "keep":
        void this.#answer(message, call);
    }
  }

  async #answer(
    question: Extract<FromStrategy, { kind: "read" | "keep" }>,
    call: CallInFlight | null,
  ): Promise<void> {
    try {
      const { source } = call!;
      const values = question.kind === "read"
        // A copy of the range alone: the store may give a view of more.
        ? (await source!.read(question.of, question.start, question.end)).slice()
        : (await source!.keep(question.name, question.values), null);
      this.#post({ kind: "answer", id: question.id, values });
    } catch (error) {
      call?.reject(error);
    }
  }

  #post(message: ToStrategy): void {
    this.#worker?.postMessage(message);
  }

  #end(reason: StrategyError): void {
    this.#worker?.terminate();
    // An endless loop would go on in spite of that.
    if (this.#ended !== null) Atomics.store(this.#ended, 0, 1);
    this.#ended = null;
    this.#worker = null;
    this.#inFlight?.reject(reason);
    this.#inFlight = null;
  }

  #error(name: CallName, reason: string): StrategyError {
    const doing = name === "load" ? "load" : `use ${name}() of`;
    const refused = /NotCapable|Requires \w+ access/.test(reason)
      ? "it asks for what strategies may not have, as they run without files and network: "
      : "";
    const plain = reason.replace(/, run again with the .*$/s, "").replace(/[.\s]+$/, "");
    const why = `${refused}${plain}`;
    return new StrategyError(`Cannot ${doing} the strategy ${this.file}: ${why}`, why);
  }
}
