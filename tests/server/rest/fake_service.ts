/** A session service that a test drives by hand: journals in memory, no engine. */
import { aggregators } from "../../../src/aggregation/registry.ts";
import { sessionConfigFrom } from "../../../src/config/parse_session.ts";
import type { SessionConfig } from "../../../src/config/session_config.ts";
import { selectors } from "../../../src/selection/registry.ts";
import type { StateSize } from "../../../src/archive/state_archive.ts";
import type { Garbage } from "../../../src/server/garbage.ts";
import {
  type ClientView,
  type Continue,
  type Fork,
  type SessionService,
  type Submission,
  UnknownSessionError,
  type UnreadableSession,
} from "../../../src/server/session_service.ts";
import {
  isTerminal,
  type LiveNote,
  type SessionEntry,
  type SessionEvent,
  type StreamItem,
} from "../../../src/session/events.ts";
import { fold, type SessionState } from "../../../src/session/state.ts";

/** The least that a session config must say. */
export const CONFIG = {
  server_training_config: { num_training_rounds: 2 },
  client_training_config: { model_id: "MLP", dataset: "MNIST" },
};

/** The config parser, as a leader that knows one loss and one optimizer would have it. */
export function parseConfig(config: unknown): SessionConfig {
  const names = { losses: ["crossentropy"], optimizers: ["sgd"] };
  return sessionConfigFrom(config, "request", { aggregators, selectors, ...names });
}

export function client(n: number, state: ClientView["state"] = "active"): ClientView {
  return {
    id: `id-${n}`,
    name: `workstation_${n}`,
    endpoint: `127.0.0.1:${50051 + 2 * n}`,
    state,
    lastHeartbeat: 0,
    datasets: { MNIST: 6000 },
    hardware: { arch: "x86_64", cpu_core_count: "2", model_name: null, cuda_available: false },
    models: {},
  };
}

export const WORKSTATION_1 = { id: "id-1", name: "workstation_1" };

/** One run of two rounds up to the middle of its first. */
export const FIRST_EVENTS: readonly SessionEvent[] = [
  { type: "session_started", weights: "w0", parameters: 10 },
  {
    type: "round_started",
    round: 1,
    seed: 7,
    selected: [WORKSTATION_1],
    replaced: [],
    spares: [],
    weights: "w0",
    selectorState: {},
  },
];

export class FakeService implements SessionService {
  readonly submissions: Submission[] = [];
  readonly continued: [string, Continue][] = [];
  readonly forks: [string, Fork][] = [];
  /** Thrown by the next submission. */
  refusal: Error | null = null;
  clientList: ClientView[] = [client(1)];
  damaged: readonly UnreadableSession[] = [];
  folder: string | null = null;
  /** How many readers follow a session now. */
  followers = 0;
  readonly #journals = new Map<string, SessionEntry[]>();
  #notes: { readonly id: string; readonly note: LiveNote; readonly index: number }[] = [];
  #changed = Promise.withResolvers<void>();

  async submit(submission: Submission): Promise<string> {
    // As a real one, which is busy only after it has built the model: later than any other request.
    await new Promise((resolve) => setTimeout(resolve));
    if (this.refusal !== null) throw this.refusal;
    this.submissions.push(submission);
    const id = `session-${this.submissions.length}`;
    this.#journals.set(id, []);
    const model = { id: "MLP", hash: "h", blob: "b" };
    this.add(id, {
      type: "session_submitted",
      session: id,
      config: submission.config,
      seed: 1,
      model,
    });
    return id;
  }

  add(id: string, ...events: SessionEvent[]): void {
    const entries = this.#journals.get(id)!;
    for (const event of events) entries.push({ seq: entries.length + 1, at: 1000, event });
    this.#wake();
  }

  note(id: string, note: LiveNote): void {
    this.#notes.push({ id, note, index: this.#journals.get(id)!.length });
    this.#wake();
  }

  /** Resolves when the condition holds; it is looked at after each change. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  isBusy(): boolean {
    return this.#states().some(({ endedAt }) => endedAt === null);
  }

  unreadable(): readonly UnreadableSession[] {
    return this.damaged;
  }

  list(): Promise<SessionState[]> {
    return Promise.resolve(this.#states());
  }

  get(id: string): Promise<SessionState> {
    const found = this.#states().filter((state) => state.id.startsWith(id));
    return found.length === 1
      ? Promise.resolve(found[0]!)
      : Promise.reject(new UnknownSessionError(id));
  }

  async *follow(id: string, afterSeq: number, signal: AbortSignal): AsyncIterable<StreamItem> {
    const entries = this.#journals.get(id)!;
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve())
    );
    let [seq, noteCount] = [afterSeq, 0];
    this.followers++;
    this.#wake();
    try {
      while (!signal.aborted) {
        for (; seq < entries.length; seq++) yield { kind: "event", entry: entries[seq]! };
        const notes = this.#notes.filter((one) => one.id === id).slice(noteCount);
        noteCount += notes.length;
        for (const { note } of notes) yield { kind: "note", note };
        if (entries.some(({ event }) => isTerminal(event))) return;
        if (seq === entries.length) await Promise.race([this.#changed.promise, aborted]);
      }
    } finally {
      this.followers--;
      this.#wake();
    }
  }

  stop(id: string, reason: string): Promise<SessionState> {
    this.add(id, { type: "session_stopped", reason });
    return this.get(id);
  }

  continue(id: string, request: Continue): Promise<string> {
    this.continued.push([id, request]);
    return this.#again(id);
  }

  fork(id: string, fork: Fork): Promise<string> {
    this.forks.push([id, fork]);
    return this.#again(id);
  }

  #again(id: string): Promise<string> {
    return this.refusal === null ? Promise.resolve(id) : Promise.reject(this.refusal);
  }

  collectGarbage(isTrial: boolean): Promise<Garbage> {
    const bytes = isTrial ? 1 : 2;
    return Promise.resolve({ blobs: 3, bytes, keptBlobs: 4, keptBytes: 5, unknownBlobs: 0 });
  }

  exportState(): Promise<AsyncIterable<Uint8Array>> {
    return Promise.resolve(ReadableStream.from([new Uint8Array([1, 2, 3])]));
  }

  async importState(path: string): Promise<StateSize> {
    return { sessions: (await Deno.stat(path)).size, blobs: 0, blobBytes: 0 };
  }

  resultsFolder(): string | null {
    return this.folder;
  }

  clients(): ClientView[] {
    return this.clientList;
  }

  #states(): SessionState[] {
    return [...this.#journals.values()].map((entries) => fold(entries)!);
  }

  #wake(): void {
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }
}
