/** A leader's REST interface (`/api/v1`) as typed calls; every failure becomes a named error. */
import { Buffer } from "node:buffer";
import type * as v from "valibot";
import type { StrategyFiles } from "../config/strategy_files.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { ExitCode, FlotillaError, messageOf, UnreachableError } from "../core/errors.ts";
import type { SessionId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { ClientBody } from "../server/rest/clients.ts";
import type { ContinueBody, ForkBody } from "../server/rest/continuations.ts";
import type { SessionList } from "../server/rest/sessions.ts";
import type { SessionSummary, SessionView } from "../server/rest/session_view.ts";
import type { Collected, Imported } from "../server/rest/storage.ts";
import { baseUrl } from "./endpoint.ts";
import { unlessSilent } from "./silence.ts";

/** Milliseconds that an answer may take; a POST may build a model, or wait for a run to stop. */
const ANSWER_WITHIN_MS = { GET: 30_000, POST: 600_000 } as const;
/** A stream of events has a sign of life every 15 s. */
const EVENTS_SILENCE_MS = 60_000;
/** Slowest upload of a state that is waited for. */
const SLOWEST_BYTES_PER_MS = 64;

/** A client as the leader's REST interface shows it. */
export type ClientRow = v.InferOutput<typeof ClientBody>;
/** A run in a list. */
export type SessionRow = v.InferOutput<typeof SessionSummary>;
/** A run in full. */
export type SessionDetail = v.InferOutput<typeof SessionView>;

/** The leader has answered that it will not or cannot do it. */
export class LeaderError extends FlotillaError {
  override name = "LeaderError";
  override readonly exitCode: number;

  /**
   * @param status the HTTP status; 4xx is what was asked and 507 where the leader shall keep it,
   * both for the user to mend; other 5xx are the leader's trouble
   */
  constructor(message: string, readonly status: number) {
    super(message);
    this.exitCode = status < 500 || status === 507 ? ExitCode.usage : ExitCode.failed;
  }
}

/**
 * A leader at one endpoint. Each call throws {@link UnreachableError} if nothing answers there,
 * {@link LeaderError} if the leader refuses, and the signal's reason if that aborts.
 */
export class LeaderApi {
  readonly #base: string;

  /**
   * @param endpoint `HOST:PORT`
   * @throws {UsageError} it is not HOST:PORT
   */
  constructor(readonly endpoint: string) {
    this.#base = `${baseUrl(endpoint)}/api/v1`;
  }

  /**
   * Submits a run; it is queued while others run.
   *
   * @param strategies text of those that the config names by file
   */
  async submit(
    config: SessionConfig,
    modelPackage: ModelPackage | null,
    signal?: AbortSignal,
    strategies: StrategyFiles = {},
  ): Promise<SessionId> {
    const body = {
      config,
      queue: true,
      ...(modelPackage && { package: encodePackage(modelPackage) }),
      ...(Object.keys(strategies).length > 0 && { strategies }),
    };
    return await this.#started("/sessions", body, signal);
  }

  /** Lets a run go on that has ended; `id` may be the unambiguous start of its id. */
  async continue(
    id: string,
    body: v.InferInput<typeof ContinueBody>,
    signal?: AbortSignal,
  ): Promise<SessionId> {
    return await this.#started(`/sessions/${encodeURIComponent(id)}/continue`, body, signal);
  }

  /** Submits a fork of a run. */
  async fork(
    id: string,
    body: v.InferInput<typeof ForkBody>,
    signal?: AbortSignal,
  ): Promise<SessionId> {
    return await this.#started(`/sessions/${encodeURIComponent(id)}/fork`, body, signal);
  }

  async #started(path: string, body: unknown, signal?: AbortSignal): Promise<SessionId> {
    return (await this.#json<{ session_id: SessionId }>("POST", path, body, signal)).session_id;
  }

  /** Frees what no run needs, or only counts it. */
  collectGarbage(isTrial: boolean): Promise<v.InferOutput<typeof Collected>> {
    return this.#json("POST", "/gc", { dry_run: isTrial });
  }

  /** Everything that the leader keeps, as an archive. */
  exportState(): Promise<AsyncIterable<Uint8Array>> {
    return this.#stream("/state", {}, ANSWER_WITHIN_MS.POST);
  }

  /**
   * Fills the leader's empty state from an archive.
   *
   * @param size bytes of the archive
   */
  async importState(
    archive: ReadableStream<Uint8Array>,
    size: number,
  ): Promise<v.InferOutput<typeof Imported>> {
    const answer = await this.#fetch("/state", {
      method: "POST",
      body: archive,
      headers: { "content-type": "application/octet-stream" },
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS.POST + size / SLOWEST_BYTES_PER_MS),
    });
    if (!answer.ok) throw await this.#refusal(answer);
    return await answer.json();
  }

  /** All runs, in order of submission. */
  async sessions(): Promise<SessionRow[]> {
    return (await this.sessionList()).sessions;
  }

  /** All runs, in order of submission, and those whose journal the leader cannot read. */
  sessionList(): Promise<v.InferOutput<typeof SessionList>> {
    return this.#json("GET", "/sessions");
  }

  /** One run; `id` may be the unambiguous start of its id. */
  session(id: string): Promise<SessionDetail> {
    return this.#json("GET", `/sessions/${encodeURIComponent(id)}`);
  }

  /** Stops a run; resolves when it has ended. */
  stop(id: string): Promise<SessionDetail> {
    return this.#json("POST", `/sessions/${encodeURIComponent(id)}/stop`, {});
  }

  /** All clients, by name. */
  async clients(): Promise<ClientRow[]> {
    return (await this.#json<{ clients: ClientRow[] }>("GET", "/clients")).clients;
  }

  /** Opens the stream of a run's events after `afterSeq` (server-sent events). */
  async openEvents(
    id: SessionId,
    afterSeq: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const headers = { accept: "text/event-stream", "last-event-id": String(afterSeq) };
    const path = `/sessions/${encodeURIComponent(id)}/events`;
    return await this.#stream(path, { headers, signal }, EVENTS_SILENCE_MS);
  }

  async #json<T>(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<T> {
    const inTime = AbortSignal.timeout(ANSWER_WITHIN_MS[method]);
    const answer = await this.#fetch(path, {
      method,
      ...(body !== undefined && {
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
      }),
      signal: signal === undefined ? inTime : AbortSignal.any([signal, inTime]),
    });
    if (!answer.ok) throw await this.#refusal(answer);
    try {
      return await answer.json();
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unreachable(`its answer is broken off or not JSON (${messageOf(error)})`);
    }
  }

  /** A body that comes as long as the leader has something to say. */
  async #stream(
    path: string,
    init: RequestInit,
    longestSilenceMs: number,
  ): Promise<AsyncIterable<Uint8Array>> {
    const late = new AbortController();
    const signals = [late.signal, ...(init.signal ? [init.signal] : [])];
    // No more than the answer's beginning: the whole may take as long as a run.
    const timer = setTimeout(
      () => late.abort(new DOMException("The answer is late", "TimeoutError")),
      longestSilenceMs,
    );
    try {
      const answer = await this.#fetch(path, { ...init, signal: AbortSignal.any(signals) });
      if (!answer.ok || answer.body === null) throw await this.#refusal(answer);
      const silent = () => this.#unreachable("it has gone silent");
      return unlessSilent(endedBy(answer.body, init.signal), longestSilenceMs, silent);
    } finally {
      clearTimeout(timer);
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(this.#base + path, init);
    } catch {
      const { signal } = init;
      if (signal?.aborted && (signal.reason as Error)?.name === "TimeoutError") {
        throw this.#unreachable("it does not answer");
      }
      signal?.throwIfAborted();
      throw this.#unreachable("nothing answers there");
    }
  }

  async #refusal(answer: Response): Promise<FlotillaError> {
    const body = await answer.json().catch(() => null) as
      | { error?: { message?: string; problems?: string[] } }
      | null;
    const { message, problems = [] } = body?.error ?? {};
    if (message === undefined) {
      return this.#unreachable(`it answers ${answer.status} and is not a Flotilla server`);
    }
    const further = problems.filter((problem) => !message.includes(problem));
    return new LeaderError([message, ...further].join("\n"), answer.status);
  }

  #unreachable(why: string): UnreachableError {
    return new UnreachableError(
      `Cannot reach a Flotilla server at ${this.endpoint} as ${why}: start one with ` +
        `"flotilla server", or name another with --federated-server-endpoint HOST:PORT`,
    );
  }
}

function encodePackage({ id, files }: ModelPackage) {
  const encoded = Object.entries(files)
    .map(([path, bytes]) => [path, Buffer.from(bytes).toString("base64")]);
  return { id, files: Object.fromEntries(encoded) };
}

/**
 * The same stream, which ends with the signal: the one that a request was made with has no effect
 * any more once its answer is collected as garbage, though the body is still being read.
 */
function endedBy(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  signal: AbortSignal | null | undefined,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return signal ? body.pipeThrough(new TransformStream(), { signal }) : body;
}
