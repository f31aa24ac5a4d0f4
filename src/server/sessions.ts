/** The leader's runs: submitted, queued, run one at a time, followed, stopped, resumed. */
import type { StateSize } from "../archive/state_archive.ts";
import { putBlobs } from "../archive/store_members.ts";
import { aggregators } from "../aggregation/registry.ts";
import type { StrategyFiles } from "../config/strategy_files.ts";
import type { SessionConfig } from "../config/session_config.ts";
import type { Clock } from "../core/clock.ts";
import {
  DeposedError,
  FlotillaError,
  messageOf,
  SessionFailedError,
  UnreachableError,
} from "../core/errors.ts";
import type { ClientId, SessionId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { Logger } from "../log/log.ts";
import type { OpenCustomStrategy } from "../custom/custom_strategy.ts";
import { selectors } from "../selection/registry.ts";
import { forked } from "../session/continuation.ts";
import { runSession, StopRequest } from "../session/engine.ts";
import type { SessionEntry, SessionSubmitted, StreamItem } from "../session/events.ts";
import type { RunModel } from "../session/run_context.ts";
import { initialWeightsSeed } from "../session/seeds.ts";
import { SessionJournal } from "../session/session_journal.ts";
import type { SessionState } from "../session/state.ts";
import { needsWeights } from "../session/stored_weights.ts";
import { Patience, patientStore } from "../session/patience.ts";
import type { Store } from "../state/store.ts";
import type { InitialModel, Trainer } from "../training/trainer.ts";
import { type Checkpoint, openCheckpoint } from "./checkpoint.ts";
import type { CheckpointFolder } from "./checkpoint_folder.ts";
import { planContinuation } from "./continuation_plan.ts";
import type { Directory } from "./directory.ts";
import { checkFits, checkForkConfig, weightsToForkFrom } from "./fork_plan.ts";
import type { Garbage } from "./garbage.ts";
import { LateReleases } from "./late_releases.ts";
import { withModelDefaults } from "./model_defaults.ts";
import { checkConfig, openJournal } from "./open_journal.ts";
import {
  checkOwn,
  closeOwn,
  neededFiles,
  openOwn,
  type OwnStrategies,
  packFiles,
  unpackFiles,
} from "./own_strategies.ts";
import { packBlob, unpackBlob } from "./package_blob.ts";
import { type PreparedModel, prepareModel, runModel, type ValidationSets } from "./run_model.ts";
import {
  type ClientView,
  ContinuationError,
  type Continue,
  type Fork,
  type SessionService,
  type Submission,
  UnknownSessionError,
  type UnreadableSession,
  UnreadableSessionError,
} from "./session_service.ts";
import { StateKeeper } from "./state_keeper.ts";

/** Keeps what a run has produced. */
export interface ResultsKeeper {
  /** Checks that results can be written at all. @throws {FileAccessError} */
  checkWritable(): Promise<void>;
  /**
   * Writes the results of a run that is about to end.
   *
   * @param state as it will be after the last entry
   * @param last the entry that ends the run, which is not in the journal yet
   * @param model its model and final weights; null if it never had one
   */
  save(
    state: SessionState,
    last: SessionEntry,
    model: { initial: Pick<InitialModel, "topology">; weights: Uint8Array<ArrayBuffer> } | null,
  ): Promise<void>;
  /** Folder of a run's results; null if there are none. */
  folderOf(id: SessionId): string | null;
}

/** What the leader's runs need from around them. */
export interface SessionsOptions {
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly results: ResultsKeeper;
  readonly validationSets: ValidationSets;
  /** The leader's own package for a config that came without one. @throws {ModelError} none */
  findPackage(config: SessionConfig): Promise<ModelPackage>;
  /** Opens the trainer that builds and evaluates models; it is closed when no run is left. */
  openTrainer(): Trainer;
  /** Opens a strategy that is the user's own code. */
  readonly openStrategy: OpenCustomStrategy;
  /** A fresh session id. */
  newId(): SessionId;
  /** A random seed, for a config without one. */
  drawSeed(): number;
  /** Where checkpoints are. @default {null} none are written, none can be used */
  readonly checkpoints?: CheckpointFolder | null;
  /** Facts about this leader, for the state that it exports. */
  readonly about?: JsonObject;
  /** Bound of each call to a client but training, in milliseconds. */
  readonly longestCallMs: number;
  /** Milliseconds that a client which is lost at work has to come back. */
  readonly returnMs: number;
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

/** The leader is shutting down: runs are left as they are, to be resumed. */
class Shutdown extends FlotillaError {
  override name = "Shutdown";
}

/** The leader's runs. */
export class Sessions implements SessionService {
  readonly #options: SessionsOptions;
  readonly #journals = new Map<SessionId, SessionJournal>();
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
  /** Journals that cannot be read: what those runs need is not known. */
  readonly #unreadable = new Map<SessionId, UnreadableSession>();
  /** Whether what an earlier process has left was freed. */
  #isSwept = false;
  readonly #closing = new AbortController();
  #closed = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#lateReleases = new LateReleases({
      journals: () => this.#journals.values(),
      fleet: options.directory,
    });
    const isBusy = () => this.#running !== null || this.#submitting > 0;
    this.#keeper = new StateKeeper(options.store, {
      journals: () => [...this.#journals.values()],
      isBusy,
      isQuiet: () => !isBusy() && this.#queue.length === 0 && this.#unreadable.size === 0,
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
    const { store, logger } = this.#options;
    for (const id of await store.journal.sessions()) {
      if (this.#own.has(id) || this.#journals.has(id)) continue;
      if (this.#unreadable.has(id)) continue;
      const journal = await openJournal(id, this.#options);
      if (journal === null) continue;
      if (!(journal instanceof SessionJournal)) {
        this.#unreadable.set(id, journal);
        continue;
      }
      this.#journals.set(id, journal);
      if (journal.ended) continue;
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
    const { store, clock, results, findPackage, drawSeed } = this.#options;
    const sent = submission.modelPackage ?? await findPackage(submission.config);
    const config = withModelDefaults(submission.config, sent);
    await results.checkWritable();
    const strategies = neededFiles(config, submission.strategies ?? {});
    await this.#checkStrategies(config, strategies);
    const seed = config.session_config.seed ?? drawSeed();
    return await this.#begin(
      { config, modelPackage: sent, seed, strategies },
      async (submitted) => await SessionJournal.begin(store, clock, submitted),
    );
  }

  async fork(of: string, { round, config: changed, strategies: sent }: Fork): Promise<SessionId> {
    const { store, clock, results } = this.#options;
    const { state } = this.#find(of);
    const config = changed ?? state.config;
    const weights = await weightsToForkFrom(state, round, store.blobs);
    this.#forked.add(weights);
    try {
      checkForkConfig(state, round, config);
      await results.checkWritable();
      const modelPackage = await this.#storedPackage(state);
      const seed = config.session_config.seed ?? state.seed;
      const whole = withModelDefaults(config, modelPackage);
      const strategies = neededFiles(whole, { ...await this.#storedFiles(state), ...sent });
      await this.#checkStrategies(whole, strategies);
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

  #enqueue(journal: SessionJournal, prepared: PreparedModel): void {
    this.#journals.set(journal.id, journal);
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
    const id = checkpoint?.state.id ?? this.#find(asked).id;
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
    const known = this.#journals.get(id) ?? null;
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
    const isRunning = this.#running !== null && !this.#journals.get(this.#running.id)!.ended;
    return isRunning || this.#queue.length > 0;
  }

  list(): Promise<SessionState[]> {
    return Promise.resolve([...this.#journals.values()].map(({ state }) => state));
  }

  unreadable(): readonly UnreadableSession[] {
    return [...this.#unreadable.values()];
  }

  get(id: string): Promise<SessionState> {
    return Promise.resolve().then(() => this.#find(id).state);
  }

  async *follow(id: string, afterSeq: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    yield* this.#find(id).follow(afterSeq, signal);
  }

  async stop(id: string, reason: string): Promise<SessionState> {
    const journal = this.#find(id);
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

  #find(id: string): SessionJournal {
    const exact = this.#journals.get(id) ?? this.#unreadable.get(id);
    const all = [...this.#journals.values(), ...this.#unreadable.values()];
    const matches = exact !== undefined
      ? [exact]
      : all.filter((one) => id.length >= 4 && one.id.startsWith(id));
    if (matches.length !== 1) throw new UnknownSessionError(id);
    const [found] = matches;
    if (found instanceof SessionJournal) return found;
    throw new UnreadableSessionError(found!);
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
      .then(() => this.#run(this.#journals.get(id)!, controller.signal))
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
    const { directory, clock, logger, longestCallMs, returnMs, results, store } = this.#options;
    const { config } = journal.state;
    const { aggregator, client_selection: selector } = config.session_config;
    // Not the whole model: its initial weights must go when the round loop lets go of them.
    let initial: Pick<InitialModel, "topology"> | null = null;
    let own: OwnStrategies = {};
    const patience = new Patience({
      clock,
      signal,
      onPause(reason) {
        logger.warning("session_paused", `Session ${journal.id} is paused: ${reason}`);
        journal.note({ type: "paused", reason });
      },
      onResume(pausedMs) {
        const seconds = pausedMs / 1000;
        logger.info(
          "session_goes_on",
          `Session ${journal.id} goes on after ${seconds.toFixed(1)} s`,
        );
        journal.note({ type: "resumed", seconds });
      },
    });
    journal.reachBy(patientStore(store, patience));
    const openModel = async (): Promise<RunModel> => {
      const model = this.#prepared.get(journal.id) ?? await this.#prepareAgain(journal);
      this.#prepared.delete(journal.id);
      initial = { topology: model.initial.topology };
      this.#running!.trains = model.validationFolder !== null;
      this.#restTrainer();
      return runModel(config, model, () => this.#trainer ??= this.#options.openTrainer());
    };
    try {
      own = await this.#openStrategies(journal.state);
      const ended = await runSession(
        {
          journal,
          fleet: directory,
          // Both names have passed the config's schema.
          selector: own.client_selection?.selector() ??
            selectors[selector as keyof typeof selectors],
          aggregator: own.aggregator?.aggregator() ??
            aggregators[aggregator as keyof typeof aggregators],
          clock,
          logger: logger.with({ session: journal.id }),
          longestCallMs,
          returnMs,
          isNeededElsewhere: (weights) =>
            this.#forked.has(weights) || [...this.#journals.values()].some((other) => {
              return other !== journal && needsWeights(other, weights);
            }),
          notReleased: (clients) => this.#lateReleases.missed(journal.id, clients),
          saveCheckpoint: (round) =>
            patience.through(() => this.#saveCheckpoint(journal.id, round)),
          async saveResults(state, last, given) {
            const { weights: id } = state;
            const weights = given ?? (id === null ? null : await store.blobs.get(id));
            const kept = initial === null || weights === null ? null : { initial, weights };
            const save = () => results.save(state, last, kept);
            // A model that is ready is worth the wait; the end of a run that has failed is not.
            await (given === null ? save() : patience.through(save, given.length));
          },
        },
        openModel,
        signal,
      );
      const reason = ended.reason === null ? "" : `: ${ended.reason}`;
      logger.info("session_ended", `Session ${journal.id} ${ended.status}${reason}`);
    } catch (error) {
      if (signal.reason instanceof Shutdown) return;
      logger.error("session_broken", `Session ${journal.id}: ${messageOf(error)}`);
      // Its followers find it with the leader that has taken over.
      if (error instanceof DeposedError && error.leader !== null) return;
      // The journal cannot take the end of this run: it stays open, for the next start to resume.
      if (!journal.ended && error instanceof DeposedError) journal.breakOff(messageOf(error));
      if (!journal.ended) {
        journal.breakOff(
          `${messageOf(error)}. The server goes on with the run when it starts again`,
        );
      }
    } finally {
      closeOwn(own);
    }
  }

  /**
   * A run goes on without its checkpoint: its state is in the store.
   *
   * @throws {UnreachableError} the store does not answer
   */
  async #saveCheckpoint(session: SessionId, round: number): Promise<void> {
    const { checkpoints = null, store, logger } = this.#options;
    try {
      const path = await checkpoints?.write(store, session, round) ?? null;
      if (path === null) return;
      logger.info("checkpoint", `Checkpoint of round ${round} is in ${path}`, { session, round });
    } catch (error) {
      if (error instanceof UnreachableError) throw error;
      logger.error("checkpoint_failed", messageOf(error), { session, round });
    }
  }

  /** Loads a run's own strategies once, so that what is wrong with them is known at once. */
  async #checkStrategies(config: SessionConfig, files: StrategyFiles): Promise<void> {
    const own = openOwn(config, files, this.#options.openStrategy);
    try {
      await checkOwn(own);
    } finally {
      closeOwn(own);
    }
  }

  /** Opens a run's own strategies from where they are kept with it. */
  async #openStrategies(state: SessionState): Promise<OwnStrategies> {
    const own = openOwn(state.config, await this.#storedFiles(state), this.#options.openStrategy);
    await checkOwn(own);
    return own;
  }

  /** Code of a run's own strategies. */
  async #storedFiles({ id, strategies }: SessionState): Promise<StrategyFiles> {
    if (strategies === null) return {};
    const bytes = await this.#options.store.blobs.get(strategies);
    if (bytes !== null) return unpackFiles(bytes);
    throw new SessionFailedError(`Cannot run ${id} as the code of its strategies is gone`);
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
