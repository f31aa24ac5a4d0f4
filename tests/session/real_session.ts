/**
 * The real engine, journal and in-process transport under a clock that a test moves, with a leader
 * that can be killed at any write and clients that answer when they are told to.
 */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { isDeepStrictEqual } from "node:util";
import { aggregators } from "../../src/aggregation/registry.ts";
import type { ClientId } from "../../src/core/ids.ts";
import { allocateWeights, decodeWeights } from "../../src/core/weights.ts";
import { silentLogger } from "../../src/log/log.ts";
import { createInProcessTransport } from "../../src/rpc/in_process.ts";
import type {
  ClientLink,
  FinishedUpdate,
  TrainJob,
  TrainProgress,
  Transport,
} from "../../src/rpc/transport.ts";
import { selectors } from "../../src/selection/registry.ts";
import { runSession, StopRequest } from "../../src/session/engine.ts";
import type { Fleet, FleetMember } from "../../src/session/fleet.ts";
import { keptWeights } from "../../src/session/kept_rounds.ts";
import type { EngineContext, RunModel } from "../../src/session/run_context.ts";
import { SessionJournal } from "../../src/session/session_journal.ts";
import { fold } from "../../src/session/state.ts";
import { held } from "../../src/session/stored_weights.ts";
import type { SessionEntry, SessionEvent } from "../../src/session/events.ts";
import type { Store } from "../../src/state/store.ts";
import { MortalStore } from "../fixtures/mortal_store.ts";
import { VirtualClock } from "../fixtures/virtual_clock.ts";
import { watchedStore } from "../fixtures/watched_store.ts";
import {
  CLIENTS,
  MOST_GIVEN_UP,
  RETURN_MS,
  ROUNDS,
  type Shown,
  STEPS,
  WAIT_MS,
} from "./reference_session.ts";
import { configOf, LAYOUT, PACKAGE, SumClient } from "./world.ts";

const CONFIG = configOf({
  session: {
    client_selection: "all",
    min_clients: 1,
    min_updates: 1,
    max_failed_rounds: MOST_GIVEN_UP,
    wait_for_clients_s: WAIT_MS / 1000,
  },
  server: { num_training_rounds: ROUNDS },
  // Longer than all small steps of the clock together.
  client: { train_timeout_duration_s: null },
});

const SESSION = "the session";
/** Turns of the event loop after which nothing more will happen by itself. */
const MOST_TURNS = 2000;
/** Turns in which whatever has been started comes to rest. */
const CALM_TURNS = 30;

/** A client that trains until it is told to stop, whoever waits for it, and keeps its result. */
class ToldClient extends SumClient {
  isThere = true;
  readonly begun: Record<string, number> = {};
  #job: string | null = null;
  #work: PromiseWithResolvers<FinishedUpdate> | null = null;

  constructor(id: ClientId) {
    super(id, `c_${id}`, 1, STEPS[id]!);
  }

  override async train(
    job: TrainJob,
    onProgress: (progress: TrainProgress) => void,
    signal: AbortSignal,
  ): Promise<FinishedUpdate> {
    const key = JSON.stringify(job);
    if (this.#job !== key || this.#work === null) {
      const name = `${this.id} in ${job.round}`;
      this.begun[name] = (this.begun[name] ?? 0) + 1;
      this.#job = key;
      this.#work = Promise.withResolvers();
      this.#work.promise.catch(() => {});
      this.jobs.push(job);
    }
    onProgress({ batchesDone: 1, batchesTotal: 2, loss: 0.5 });
    const gone = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
    return await Promise.race([this.#work.promise, gone]);
  }

  /** Ends the training under way; a second time, or for a job that is over, nothing happens. */
  finish(work: "done" | "unusable"): void {
    const job = this.jobs.at(-1);
    if (job === undefined || this.#work === null) return;
    if (work === "unusable") this.#work.reject(new Error("the loss is not a number"));
    else this.#work.resolve(this.honest(job));
  }

  /** It is not there any more; if it has died, a training that has not ended is lost. */
  leave(died: boolean, isTraining: boolean): void {
    this.isThere = false;
    if (died && isTraining) this.#work = null;
  }
}

/** A leader as long as it lives. */
class Leader implements Fleet {
  readonly store: MortalStore;
  readonly #controller = new AbortController();
  readonly #transport: Transport;
  readonly #links = new Map<ClientId, ClientLink>();
  readonly #waiters = new Set<() => void>();
  #run: Promise<unknown> = Promise.resolve();
  journal!: SessionJournal;

  constructor(
    readonly clients: readonly ToldClient[],
    readonly clock: VirtualClock,
    kept: Store,
  ) {
    this.store = new MortalStore(kept);
    this.#transport = createInProcessTransport({
      find: (id) => clients.find((client) => client.id === id && client.isThere),
      clock,
    });
  }

  /** Opens the journal and goes on from where it is. */
  async start(): Promise<void> {
    this.journal = (await SessionJournal.open(this.store, this.clock, SESSION))!;
    const context: EngineContext = {
      journal: this.journal,
      fleet: this,
      selector: selectors.all,
      aggregator: aggregators.fedavg,
      clock: this.clock,
      logger: silentLogger,
      longestCallMs: 60_000,
      returnMs: RETURN_MS,
      isNeededElsewhere: () => false,
      saveResults: () => Promise.resolve(),
    };
    const model: RunModel = {
      modelPackage: PACKAGE,
      initialWeights: () => Promise.resolve(allocateWeights(LAYOUT).bytes),
      validate: null,
    };
    if (this.journal.ended) return;
    this.#run = runSession(context, () => Promise.resolve(model), this.#controller.signal);
    this.#run.catch(() => {});
  }

  /** As by SIGKILL: it does nothing any more, and its calls are cut off. */
  kill(): void {
    this.store.die();
    this.#transport.close();
  }

  async stop(): Promise<void> {
    this.#controller.abort(new StopRequest("enough"));
    await this.#run;
  }

  holding(): FleetMember[] {
    return this.clients.filter(({ isThere }) => isThere)
      .map(({ id, name, samples }) => ({ id, name, samples, labelDistribution: null }));
  }

  activeCount(): number {
    return this.holding().length;
  }

  nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", () => {
        this.#waiters.delete(wake);
        reject(signal.reason);
      }, { once: true });
    });
  }

  link(client: ClientId): ClientLink {
    const link = this.#links.get(client) ??
      this.#transport.connect(client, { sync: client, async: client });
    this.#links.set(client, link);
    return link;
  }

  setTraining(): void {}

  /** A client has come or gone; the calls to one that has gone break off. */
  changed(client: ClientId, isThere: boolean): void {
    if (!isThere) {
      this.#links.get(client)?.close();
      this.#links.delete(client);
    }
    for (const wake of [...this.#waiters]) wake();
  }
}

/** The real session, to be told the same as the reference. */
export class RealSession {
  readonly #clock = new VirtualClock();
  readonly #clients = CLIENTS.map((id) => new ToldClient(id));
  readonly #kept = watchedStore();
  /** What a follower has seen who came back after each death of a leader. */
  readonly #followed: SessionEntry[] = [];
  #leader!: Leader;
  #roundsAtTakeOver = 0;
  takeOvers = 0;

  static async begin(): Promise<RealSession> {
    const session = new RealSession();
    const { store } = session.#kept;
    await store.journal.append(SESSION, 0, [
      {
        type: "session_submitted",
        session: SESSION,
        config: CONFIG,
        seed: 7,
        model: { id: PACKAGE.id, hash: PACKAGE.hash, blob: "none" },
      } satisfies SessionEvent,
    ]);
    await session.#start();
    return session;
  }

  /** Resolves when the session shows this; fails when it comes to rest otherwise. */
  async shows(expected: Shown): Promise<void> {
    let shown = await this.#shown();
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      // It may show this already, and still be on the way to where it waits for what comes next.
      if (turn > CALM_TURNS && isDeepStrictEqual(shown, expected)) break;
      if (this.#leader.store.isDead) await this.takeOver();
      await new Promise((resolve) => setImmediate(resolve));
      if (turn >= CALM_TURNS) shown = await this.#shown();
    }
    assert.deepEqual(shown, expected);
    // What the leader has in mind is what it has written.
    const { journal } = this.#leader;
    const entries = await this.#kept.store.journal.read(SESSION) as SessionEntry[];
    assert.deepEqual(journal.state, fold(entries));
  }

  /** After the end: what is left of the weights, and what a follower has seen. */
  async check(): Promise<void> {
    const { state } = this.#leader.journal;
    // A run that was stopped can be restored: it keeps what it had for its open round.
    const needed = [...new Set([...keptWeights(state), ...held(state)])].sort();
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      if ((await this.#kept.left()).length <= needed.length) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    const left = (await this.#kept.left()).sort();
    assert.deepEqual(left, needed, "blobs that nobody needs");
    assert.deepEqual(this.#followed, await this.#kept.store.journal.read(SESSION));
  }

  trained(client: string, work: "done" | "unusable"): void {
    this.#client(client).finish(work);
  }

  leave(client: string, died: boolean, isTraining: boolean): void {
    this.#client(client).leave(died, isTraining);
    this.#leader.changed(client, false);
  }

  join(client: string): void {
    this.#client(client).isThere = true;
    this.#leader.changed(client, true);
  }

  advance(ms: number): void {
    this.#clock.advance(ms);
  }

  /** The leader dies at the `count`-th write from now, before it or after it. */
  dieAt(count: number, when: "before" | "after"): void {
    this.#leader.store.dieAt(count, when);
  }

  /** Takes back what {@link dieAt} has planned. */
  surviveAll(): void {
    this.#leader.store.dieAt(Infinity, "before");
  }

  async takeOver(): Promise<void> {
    this.#leader.kill();
    await this.#start();
    this.takeOvers++;
    this.#roundsAtTakeOver = this.#leader.journal.state.rounds.length;
  }

  /** Whether no round has begun since a leader took over. */
  get isInRoundOfTakeOver(): boolean {
    return this.#leader.journal.state.rounds.length === this.#roundsAtTakeOver;
  }

  async stop(): Promise<void> {
    await this.#leader.stop();
  }

  async #start(): Promise<void> {
    this.#leader = new Leader(this.#clients, this.#clock, this.#kept.store);
    await this.#leader.start();
    void this.#follow(this.#leader);
  }

  async #follow({ journal, store }: Leader): Promise<void> {
    const after = this.#followed.at(-1)?.seq ?? 0;
    for await (const item of journal.follow(after, new AbortController().signal)) {
      if (store.isDead) return;
      if (item.kind === "event") this.#followed.push(item.entry);
    }
  }

  #client(id: string): ToldClient {
    return this.#clients.find((client) => client.id === id)!;
  }

  async #shown(): Promise<Shown> {
    const { state } = this.#leader.journal;
    const names = (answers: readonly { readonly client: { readonly id: string } }[]) =>
      answers.map(({ client }) => client.id).sort();
    const bytes = state.weights === null ? null : await this.#kept.store.blobs.get(state.weights);
    return {
      status: state.status,
      rounds: state.rounds.length,
      owed: Object.keys(state.inFlight).sort(),
      updates: state.rounds.map(({ updates }) => names(updates)),
      failures: state.rounds.map(({ failures }) => names(failures)),
      givenUp: state.rounds.flatMap(({ round, givenUp }) => givenUp === null ? [] : [round]),
      weights: bytes === null ? 0 : decodeWeights(bytes).values[0]!,
      begun: Object.assign({}, ...this.#clients.map(({ begun }) => begun)),
    };
  }
}
