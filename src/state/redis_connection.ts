/**
 * One connection to a Redis server that says what is wrong instead of waiting for ever: a call
 * waits a bounded time for the server to come back, and no call is ever sent twice.
 */
import { Redis } from "ioredis";
import { FileAccessError, FlotillaError, messageOf, UnreachableError } from "../core/errors.ts";

/** How long opening may take. */
const OPEN_WITHIN_MS = 2000;
/** Longest pause between two attempts to connect again. */
const MAX_PAUSE_MS = 500;

/** What to do about the errors that a Redis server gives by name. */
const REPLY_ADVICE: Readonly<Record<string, string>> = {
  OOM: "raise its maxmemory, or delete what is not needed",
  MISCONF: "see its log, as it cannot save to its disk",
  READONLY: "name the primary instead of its replica",
  NOAUTH: "open it to this machine without a password",
  WRONGTYPE: "delete the foreign keys that start with flotilla:",
};

/** How a Redis store behaves. */
export interface RedisStoreOptions {
  /**
   * Wall-clock milliseconds, for the time stamps of journal entries.
   * @default {Date.now}
   */
  readonly now?: () => number;
  /**
   * Milliseconds that a call waits for a lost connection to come back, and as many again for the
   * answer of a server that hangs.
   * @default {5000}
   */
  readonly answerWithinMs?: number;
}

/** A connection that comes back by itself when its server does. */
export class RedisConnection {
  /** `host:port` */
  readonly address: string;
  readonly #client: Redis;
  /** Why the connection was lost last, for people. */
  #reason = `it has not answered within ${OPEN_WITHIN_MS / 1000} s`;
  /** Becomes true at the first answer; before it, a failure is final. */
  #opened = false;
  #closed = false;
  readonly #answerWithinMs: number;
  #return: Promise<void> | undefined;

  private constructor(hostname: string, port: number, answerWithinMs: number) {
    this.#answerWithinMs = answerWithinMs;
    this.address = `${hostname}:${port}`;
    this.#client = new Redis({
      host: hostname,
      port,
      lazyConnect: true,
      connectTimeout: OPEN_WITHIN_MS,
      disconnectTimeout: 100,
      socketTimeout: answerWithinMs,
      // A call that was sent when the connection broke may have been done: sent again, an append
      // would find its own entries and report another writer. So it fails at once, as unknown.
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => this.#opened ? Math.min(50 * times, MAX_PAUSE_MS) : null,
    });
    this.#client.on("error", (error) => this.#reason = reasonOf(error));
    this.#client.on("ready", () => this.#reason = "it has closed the connection");
  }

  /**
   * Connects, and waits until the server has answered.
   *
   * @throws {UnreachableError} no answer within 2 s: names host and port
   */
  static async open(
    hostname: string,
    port: number,
    { answerWithinMs = 5000 }: RedisStoreOptions = {},
  ): Promise<RedisConnection> {
    const connection = new RedisConnection(hostname, port, answerWithinMs);
    const client = connection.#client;
    const { promise: late, reject } = Promise.withResolvers<never>();
    const deadline = setTimeout(() => reject(new Error("too late")), OPEN_WITHIN_MS);
    try {
      await Promise.race([client.connect().then(() => client.ping()), late]);
      connection.#opened = true;
      return connection;
    } catch (error) {
      client.disconnect();
      throw connection.#unreachable(error);
    } finally {
      clearTimeout(deadline);
    }
  }

  /**
   * Makes a call as soon as the connection stands.
   *
   * @param verb what the call does, for people
   * @throws {UnreachableError} no connection or no answer in time; the call may have been done
   * @throws {FileAccessError} the server refuses, such as for want of memory
   */
  async call<T>(verb: string, command: (client: Redis) => Promise<T>): Promise<T> {
    if (this.#closed) {
      throw new FlotillaError(`Cannot ${verb} as the store has been closed: open it again`);
    }
    try {
      if (this.#client.status !== "ready") await this.#untilBack();
      return await this.#inTime(command(this.#client)).catch(async (error) => {
        if (!isUnsent(error)) throw error;
        await this.#untilBack();
        return await this.#inTime(command(this.#client));
      });
    } catch (error) {
      if (error instanceof UnreachableError) throw error;
      if (!(error instanceof Error) || error.name !== "ReplyError") throw this.#unreachable(error);
      const name = error.message.split(" ", 1)[0]!;
      throw new FileAccessError(
        `Cannot ${verb} as Redis at ${this.address} refuses with "${error.message}": ` +
          (REPLY_ADVICE[name] ?? "see its log, or choose another store"),
        { cause: error },
      );
    }
  }

  /** Closes the connection; calls still under way fail. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const ended = new Promise((resolve) => this.#client.once("end", resolve));
    try {
      await this.#client.quit();
      await ended;
    } catch {
      // There is no connection to end in good manners.
      this.#client.disconnect();
    }
  }

  /** The answer to a command that was sent; a connection may die without failing it. */
  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const deadline = setTimeout(
      () => reject(new Error("it does not answer")),
      2 * this.#answerWithinMs,
    );
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Waits for the next connection; all calls that wait share one wait. */
  #untilBack(): Promise<void> {
    return this.#return ??= this.#nextConnection().finally(() => this.#return = undefined);
  }

  async #nextConnection(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const giveUp = () => reject(this.#unreachable());
    const deadline = setTimeout(giveUp, this.#answerWithinMs);
    this.#client.once("ready", resolve).once("end", giveUp);
    try {
      await promise;
    } finally {
      clearTimeout(deadline);
      this.#client.off("ready", resolve).off("end", giveUp);
    }
  }

  #unreachable(cause?: unknown): UnreachableError {
    return new UnreachableError(
      `Cannot reach Redis at ${this.address} as ${this.#reason}: start one there ` +
        "(redis-server), or choose another store (memory or sqlite)",
      { cause },
    );
  }
}

/** Tells whether a command was held back, as its connection was found broken before its end. */
function isUnsent(error: unknown): boolean {
  return messageOf(error).startsWith("Stream isn't writeable");
}

/** Why a connection failed, after "as". */
function reasonOf(error: unknown): string {
  const message = messageOf(error);
  if (message.startsWith("NOAUTH")) return "it asks for a password";
  if (message.startsWith("Unknown RESP type")) return "what answers there is not Redis";
  if (message.startsWith("Socket timeout")) return "it does not answer";
  return message;
}
