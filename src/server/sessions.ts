/** The leader's runs: submitted, queued, run one at a time, followed, stopped, resumed. */
import type { StateSize } from "../archive/state_archive.ts";
import { putBlobs } from "../archive/store_members.ts";
import type { StrategyFiles } from "../config/strategy_files.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { messageOf, SessionFailedError } from "../core/errors.ts";
import type { ClientId, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { forked } from "../session/continuation.ts";
import { StopRequest } from "../session/engine.ts";
import type { SessionEntry, SessionSubmitted, StreamItem } from "../session/events.ts";
import { initialWeightsSeed } from "../session/seeds.ts";
import { SessionJournal } from "../session/session_journal.ts";
import type { SessionState } from "../session/state.ts";
import { needsWeights } from "../session/stored_weights.ts";
import type { Trainer } from "../training/trainer.ts";
import { carryOutRun, type RunsSurroundings, Shutdown } from "./carry_out_run.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import { planContinuation } from "./continuation_plan.ts";
import { checkFits, checkForkConfig, weightsToForkFrom } from "./fork_plan.ts";
import type { Garbage } from "./garbage.ts";
import { KeptRuns } from "./kept_runs.ts";
import { LateReleases } from "./late_releases.ts";
import { withModelDefaults } from "./model_defaults.ts";
import { checkConfig } from "./open_journal.ts";
import { checkFiles, neededFiles, packFiles, storedFiles } from "./own_strategies.ts";
import { packBlob, unpackBlob } from "./package_blob.ts";
import { type PreparedModel, prepareModel, type ValidationSets } from "./run_model.ts";
import {
  type ClientView,
  ContinuationError,
  type Continue,
  type Fork,
  type SessionService,
  type Submission,
  type UnreadableSession,
} from "./session_service.ts";
import { StateKeeper } from "./state_keeper.ts";

/** What the leader's runs need from around them. */
export interface SessionsOptions extends RunsSurroundings {
  readonly validationSets: ValidationSets;
  /** The leader's own package for a config that came without one. @throws {ModelError} none */
  findPackage(config: SessionConfig): Promise<ModelPackage>;
  /** Opens the trainer that builds and evaluates models; it is closed when no run is left. */
  openTrainer(): Trainer;
  /** A fresh session id. */
  newId(): SessionId;
  /** A random seed, for a config without one. */
  drawSeed(): number;
  /** Facts about this leader, for the state that it exports. */
  readonly about?: JsonObject;
}

/** The run that is under way. */
interface Running {
  readonly id: SessionId;
  readonly controller: AbortController;
  readonly done: Promise<void>;
  /** Whether it needs the trainer: to build its model, then to evaluate it. */
  trains: boolean;
}

/** What a run begins with. */
interface RunStart {
  readonly config: SessionConfig;
  readonly modelPackage: ModelPackage;
  readonly seed: number;
  /** Code of the strategies that are the user's own. */
  readonly strategies: StrategyFiles;
}

/** The leader's runs. */
export class Sessions implements SessionService {
  readonly #options: SessionsOptions;
  readonly #runs: KeptRuns;
  readonly #prepared = new Map<SessionId, PreparedModel>();
  readonly #queue: SessionId[] = [];
  readonly #keeper: StateKeeper;
  readonly #lateReleases: LateReleases;
  #running: Running | null = null;
  #trainer: Trainer | null = null;
  /** Ids made by this process: not to be resumed. */
  readonly #own = new Set<SessionId>();
  /** Submissions and imports that are not queued yet: they need the trainer and what they store. */
  #submitting = 0;
  /** Weights of rounds from which runs are being forked. */
  readonly #forked = new Set<WeightsId>();
  /** Runs that are about to be continued. */
  readonly #continuing = new Set<SessionId>();
  /** Whether what an earlier process has left was freed. */
  #isSwept = false;
  readonly #closing = new AbortController();
  #closed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#runs = new KeptRuns(options);
    this.#lateReleases = new LateReleases({
      journals: () => this.#runs.all(),
      fleet: options.directory,
    });
    const isBusy = () => this.#running !== null || this.#submitting > 0;
    this.#keeper = new StateKeeper(options.store, {
      journals: () => this.#runs.all(),
      isBusy,
      isQuiet: () => !isBusy() && this.#queue.length === 0 && this.#runs.unreadable().length === 0,
    }, options.about ?? {});
  }

  /**
   * Opens all journals of the store and queues the runs that have not ended; call it before a front
   * door opens, as who comes back would be told that his run is unknown. A journal that cannot be
   * read is left out with an error in the log: the others go on.
   *
   * @throws {UnreachableError} the store does not answer
   */
  async load(): Promise<void> {
    for (const { id, ended } of await this.#runs.load(this.#own)) {
      if (ended) continue;
      const { logger } = this.#options;
      logger.info("session_resumed", `Session ${id} goes on from where it was`, { session: id });
      this.#queue.push(id);
    }
  }

  /** Goes on with the runs that have not ended. @throws {UnreachableError} as {@link load} */
  async resume(): Promise<void> {
    await this.load();
    this.#startNext();
  }

  async submit(submission: Submission): Promise<SessionId> {
    const { store, clock, results, findPackage, drawSeed, openStrategy } = this.#options;
    const sent = submission.modelPackage ?? await findPackage(submission.config);
    const config = withModelDefaults(submission.config, sent);
    await results.checkWritable();
    const strategies = neededFiles(config, submission.strategies ?? {});
    await checkFiles(config, strategies, openStrategy);
    const seed = config.session_config.seed ?? drawSeed();
    return await this.#begin(
      { config, modelPackage: sent, seed, strategies },
      async (submitted) => await SessionJournal.begin(store, clock, submitted),
    );
  }

  async fork(of: string, { round, config: changed, strategies: sent }: Fork): Promise<SessionId> {
    const { store, clock, results, openStrategy } = this.#options;
    const { state } = this.#runs.find(of);
    const config = changed ?? state.config;
    const weights = await weightsToForkFrom(state, round, store.blobs);
    this.#forked.add(weights);
    try {
      checkForkConfig(state, round, config);
      await results.checkWritable();
      const modelPackage = await this.#storedPackage(state);
      const seed = config.session_config.seed ?? state.seed;
      const whole = withModelDefaults(config, modelPackage);
      const strategies = neededFiles(whole, { ...await storedFiles(state, store.blobs), ...sent });
      await checkFiles(whole, strategies, openStrategy);
      const start = { config: whole, modelPackage, seed, strategies };
      return await this.#begin(start, async (own, prepared) => {
        await checkFits(state.id, weights, prepared.initial.weights, store.blobs);
        const entries = await store.journal.read(state.id) as SessionEntry[];
        const parent = { session: state.id, round };
        const [submitted, ...taken] = forked(entries, { ...own, parent });
        return await SessionJournal.begin(store, clock, submitted, taken);
      });
    } finally {
      this.#forked.delete(weights);
    }
  }

  /** Builds a run's model, journals the run by `journalled`, and queues it. */
  async #begin(
    { config, modelPackage, seed, strategies }: RunStart,
    journalled: (submitted: SessionSubmitted, prepared: PreparedModel) => Promise<SessionJournal>,
  ): Promise<SessionId> {
    this.#submitting++;
    try {
      this.#rouse(config);
      const prepared = await this.#prepare(config, modelPackage, seed);
      const id = this.#options.newId();
      this.#own.add(id);
      await this.#keeper.collected();
      const { blobs } = this.#options.store;
      const { id: blob } = await blobs.put(packBlob(modelPackage));
      const own = Object.keys(strategies).length === 0
        ? {}
        : { strategies: (await blobs.put(packFiles(strategies))).id };
      const model = { id: modelPackage.id, hash: modelPackage.hash, blob };
      const submitted: SessionSubmitted = {
        type: "session_submitted",
        session: id,
        config,
        seed,
        model,
        ...own,
      };
      this.#enqueue(await journalled(submitted, prepared), prepared);
      return id;
    } finally {
      this.#submitting--;
      this.#startNext();
    }
  }

  /**
   * Echoes the clients that a run will begin with while its model is still being built, so that they
   * start what trains meanwhile. Of more than must be there nobody knows yet who will be selected.
   */
  #rouse({ client_training_config: { dataset }, session_config: session }: SessionConfig): void {
    if (this.#running !== null) return;
    const { directory } = this.#options;
    const holders = directory.holding(dataset);
    if (holders.length > session.min_clients) return;
    const call = { signal: this.#closing.signal, deadlineMs: session.echo_timeout_s * 1000 };
    for (const { id } of holders) {
      directory.link(id).echo("", call).catch(() => {}); // the round will find out who is silent
    }
  }

  #enqueue(journal: SessionJournal, prepared: PreparedModel): void {
    this.#runs.add(journal);
    this.#prepared.set(journal.id, prepared);
    this.#queue.push(journal.id);
  }

  async continue(asked: string, request: Continue): Promise<SessionId> {
    const { checkpoints = null, results } = this.#options;
    if (request.file !== null && checkpoints === null) {
      throw new ContinuationError(`Cannot continue "${asked}" from a file: this leader has none`);
    }
    using checkpoint = request.file &&
      await openCheckpoint(await checkpoints!.find(asked, request.file.round));
    if (checkpoint !== null) checkConfig(checkpoint.state);
    const id = checkpoint?.state.id ?? this.#runs.find(asked).id;
    if (this.#continuing.has(id)) {
      throw new ContinuationError(`Cannot continue session ${id} as it is being continued already`);
    }
    this.#continuing.add(id);
    this.#submitting++;
    try {
      await results.checkWritable();
      await this.#continue(id, request, checkpoint);
      return id;
    } finally {
      this.#submitting--;
      this.#continuing.delete(id);
      this.#startNext();
    }
  }

  async #continue(id: SessionId, request: Continue, checkpoint: Checkpoint | null): Promise<void> {
    const { store, directory: fleet, clock, logger } = this.#options;
    const known = this.#runs.get(id);
    const plan = await planContinuation({
      ...{ store, fleet, clock, request, checkpoint, signal: this.#closing.signal },
      known: known?.state ?? null,
    });
    const { config, seed } = plan.state;
    const prepared = await this.#prepare(config, plan.modelPackage, seed);
    await this.#keeper.collected();
    this.#own.add(id);
    if (checkpoint !== null) {
      await putBlobs(checkpoint.archive, store.blobs);
      if (known === null) await store.journal.adopt(id, checkpoint.entries);
    }
    // Also of a run whose end could not be journalled: the store's journal is the truth.
    const journal = known?.resumable === false
      ? known
      : (await SessionJournal.open(store, clock, id))!;
    await journal.append(plan.event);
    logger.info("session_continued", `Session ${id} goes on (${plan.event.how})`, { session: id });
    this.#enqueue(journal, prepared);
  }

  collectGarbage(isTrial: boolean): Promise<Garbage> {
    return this.#keeper.collectGarbage(isTrial);
  }

  exportState(): Promise<AsyncIterable<Uint8Array>> {
    return this.#keeper.export();
  }

  async importState(path: string): Promise<StateSize> {
    // What comes in is in no journal yet.
    this.#submitting++;
    try {
      await this.#keeper.collected();
      const size = await this.#keeper.import(path);
      await this.load();
      return size;
    } finally {
      this.#submitting--;
      this.#startNext();
    }
  }

  isBusy(): boolean {
    // Whoever has seen a run's last event may submit the next, though it is still being tidied up.
    const isRunning = this.#running !== null && !this.#runs.get(this.#running.id)!.ended;
    return isRunning || this.#queue.length > 0;
  }

  list(): Promise<SessionState[]> {
    return Promise.resolve(this.#runs.all().map(({ state }) => state));
  }

  unreadable(): readonly UnreadableSession[] {
    return this.#runs.unreadable();
  }

  get(id: string): Promise<SessionState> {
    return Promise.resolve().then(() => this.#runs.find(id).state);
  }

  async *follow(id: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    yield* this.#runs.find(id).follow(afterSeq, signal);
  }

  async stop(id: string, reason: string): Promise<SessionState> {
    const journal = this.#runs.find(id);
    if (this.#running?.id === journal.id) {
      this.#running.controller.abort(new StopRequest(reason));
      await this.#running.done;
    } else if (this.#queue.includes(journal.id)) {
      this.#queue.splice(this.#queue.indexOf(journal.id), 1);
      this.#prepared.delete(journal.id);
      await journal.append({ type: "session_stopped", reason });
      this.#restTrainer();
    }
    return journal.state;
  }

  /** A client has given a sign of life: it may have missed the end of a run. */
  heard(client: ClientId): void {
    void this.#lateReleases.heard(client);
  }

  resultsFolder(id: SessionId): string | null {
    return this.#options.results.folderOf(id);
  }

  clients(): ClientView[] {
    return this.#options.directory.views();
  }

  /** Leaves the running session as it is, to be resumed by the next start. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#closing.abort(new Shutdown("The server is shutting down"));
    this.#running?.controller.abort(new Shutdown("The server is shutting down"));
    await this.#running?.done;
    await this.#keeper.collected();
    this.#trainer?.close();
  }

  async #prepare(
    config: SessionConfig,
    sent: ModelPackage,
    sessionSeed: number,
  ): Promise<PreparedModel> {
    this.#trainer ??= this.#options.openTrainer();
    const seed = initialWeightsSeed(sessionSeed);
    return await prepareModel(config, sent, seed, this.#trainer, this.#options.validationSets);
  }

  #startNext(): void {
    if (this.#running !== null || this.#closed) return;
    const id = this.#queue.shift();
    if (id === undefined) {
      this.#restTrainer();
      return this.#sweep();
    }
    const controller = new AbortController();
    // It begins in a later turn, when it is already the running one.
    const done = Promise.resolve()
      .then(() => this.#run(this.#runs.get(id)!, controller.signal))
      .finally(() => {
        this.#running = null;
        this.#startNext();
      });
    this.#running = { id, controller, done, trains: true };
  }

  /**
   * Frees, when nothing is at work for the first time, what an earlier process has stored and not
   * journalled, such as an update of a client that never came back.
   */
  #sweep(): void {
    if (this.#isSwept || this.#submitting > 0) return;
    this.#isSwept = true;
    this.#keeper.collectGarbage(false).then(({ blobs, bytes }) => {
      if (blobs === 0) return;
      this.#options.logger.info("swept", `Freed ${blobs} files of earlier runs, ${bytes} bytes`);
    }, (error) => this.#options.logger.warning("weights_left", messageOf(error)));
  }

  async #run(journal: SessionJournal, signal: AbortSignal): Promise<void> {
    await carryOutRun(journal, signal, {
      ...this.#options,
      openModel: async () => {
        const model = this.#prepared.get(journal.id) ?? await this.#prepareAgain(journal);
        this.#prepared.delete(journal.id);
        this.#running!.trains = model.validationFolder !== null;
        this.#restTrainer();
        return model;
      },
      trainer: () => this.#trainer ??= this.#options.openTrainer(),
      isNeededElsewhere: (weights) =>
        this.#forked.has(weights) ||
        this.#runs.all().some((other) => other !== journal && needsWeights(other, weights)),
      notReleased: (clients) => this.#lateReleases.missed(journal.id, clients),
    });
  }

  /** Builds the model of a run that was submitted to an earlier process. */
  async #prepareAgain({ state }: SessionJournal): Promise<PreparedModel> {
    return await this.#prepare(state.config, await this.#storedPackage(state), state.seed);
  }

  async #storedPackage({ id, model }: SessionState): Promise<ModelPackage> {
    const bytes = await this.#options.store.blobs.get(model.blob);
    if (bytes !== null) return unpackBlob(bytes);
    throw new SessionFailedError(`Cannot resume ${id} as its model package is gone`);
  }

  /** Ends the trainer's worker when nobody needs it: a leader at rest shall be small. */
  #restTrainer(): void {
    if (this.#running?.trains || this.#queue.length > 0 || this.#submitting > 0) return;
    this.#trainer?.close();
    this.#trainer = null;
  }
}
