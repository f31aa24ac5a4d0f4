/**
 * The round loop. It is serial: whatever comes in from clients and validations passes one inbox, is
 * appended to the journal, folded, and only then answered with the next step. Everything it knows
 * is in the journal, so a run that was cut off goes on from there: it repeats only the assignments
 * that have no answer yet.
 */
import type { Aggregator } from "../aggregation/aggregator.ts";
import type { Clock } from "../core/clock.ts";
import { messageOf, SessionFailedError } from "../core/errors.ts";
import { byName, type ClientId, type ClientRef, type WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { seeded } from "../core/prng.ts";
import { allocateWeights, decodeWeights, type EncodedWeights } from "../core/weights.ts";
import type { Logger } from "../log/log.ts";
import type { TrainJob } from "../rpc/transport.ts";
import type { Candidate, Selector } from "../selection/selector.ts";
import { carryOut } from "./assignment.ts";
import { echoSelected } from "./echo.ts";
import type {
  ClientFailed,
  RoundValidated,
  SessionEntry,
  SessionEvent,
  UpdateReceived,
} from "./events.ts";
import type { Fleet, FleetMember } from "./fleet.ts";
import { Inbox } from "./inbox.ts";
import { initialWeightsSeed, roundSeed, trainingSeed } from "./seeds.ts";
import type { SessionJournal } from "./session_journal.ts";
import { finishedRounds, openRound, type RoundRecord, type SessionState } from "./state.ts";
import { updateReader } from "./update_reader.ts";

/** The model of a run, ready to be sent and evaluated. */
export interface RunModel {
  readonly modelPackage: ModelPackage;
  /** Encoded initial weights for a seed; the same seed gives the same bytes. */
  initialWeights(seed: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Evaluates weights on the leader's validation set; null if the leader has none. */
  readonly validate: ((weights: Uint8Array, signal: AbortSignal) => Promise<Evaluation>) | null;
}

/** What a run needs from around it. */
export interface EngineContext {
  readonly journal: SessionJournal;
  readonly fleet: Fleet;
  readonly selector: Selector<JsonObject, JsonObject>;
  readonly aggregator: Aggregator<JsonObject, JsonObject>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bound of each call to a client but training, in milliseconds. */
  readonly longestCallMs: number;
  /**
   * Keeps the results of a run that is about to end; throws if it cannot.
   *
   * @param state as it will be after the last entry
   * @param last the entry that ends the run, which is not in the journal yet
   * @param weights the encoded global weights; null if they are to be read from the store
   */
  saveResults(
    state: SessionState,
    last: SessionEntry,
    weights: Uint8Array<ArrayBuffer> | null,
  ): Promise<void>;
}

/** Aborts a run on a user's request. */
export class StopRequest {
  constructor(readonly reason: string) {}
}

type Input = UpdateReceived | ClientFailed | RoundValidated;

/**
 * Runs a session to its end, whatever the end is: the last event in the journal says it.
 *
 * @param signal aborts with a {@link StopRequest} to stop the run; with anything else the run is
 * left as it is, to be resumed
 */
export async function runSession(
  context: EngineContext,
  openModel: () => Promise<RunModel>,
  signal: AbortSignal,
): Promise<SessionState> {
  const { journal, logger } = context;
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const model = await openModel();
    await new Run(context, model, inner).toTheEnd();
  } catch (error) {
    // What goes wrong after the end cannot change it.
    if (journal.ended || signal.aborted && !(signal.reason instanceof StopRequest)) throw error;
    const ending: SessionEvent = signal.aborted
      ? { type: "session_stopped", reason: (signal.reason as StopRequest).reason }
      : { type: "session_failed", reason: messageOf(error) };
    if (ending.type === "session_failed" && !(error instanceof SessionFailedError)) {
      logger.error("session_error", `Session ${journal.id} broke off: ${messageOf(error)}`, {
        stack: error instanceof Error ? error.stack ?? null : null,
      });
    }
    await saveWhatThereIs(context, ending);
    await journal.append(ending);
  } finally {
    inner.abort(new SessionFailedError("The session has ended"));
    signal.removeEventListener("abort", stop);
  }
  return journal.state;
}

async function saveWhatThereIs({ journal, logger, saveResults }: EngineContext, end: SessionEvent) {
  try {
    const { state, entry } = journal.preview(end);
    await saveResults(state, entry, null);
  } catch (error) {
    logger.error("results_not_saved", messageOf(error), { session: journal.id });
  }
}

/** One run in this process. */
class Run {
  readonly #inbox = new Inbox<Input>();
  /** Assignments of clients that this process has told to train and that have not answered. */
  readonly #atWork = new Map<ClientId, Promise<void>>();
  /** Evaluations whose result is not journalled. */
  #validations = 0;
  /** Monotonic; null in a round that an earlier process started. */
  #roundStartedMs: number | null = null;
  /** The current global weights. */
  #global: { readonly id: WeightsId; readonly weights: EncodedWeights } | null = null;

  constructor(
    readonly context: EngineContext,
    readonly model: RunModel,
    readonly controller: AbortController,
  ) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  get #signal(): AbortSignal {
    return this.controller.signal;
  }

  async toTheEnd(): Promise<void> {
    const { server_training_config: { num_training_rounds: rounds } } = this.#state.config;
    const stopClock = this.#boundTheWhole();
    try {
      await this.#begin();
      while (finishedRounds(this.#state) < rounds) {
        if (openRound(this.#state) === null) await this.#openRound();
        await this.#gather();
        await this.#closeRound();
      }
      while (this.#validations > 0) await this.#handle(await this.#inbox.take(this.#signal));
      await this.#finish();
    } finally {
      stopClock();
      this.controller.abort(new SessionFailedError("The session has ended"));
      // Nothing may write to the store any more once the run is over.
      await Promise.all(this.#atWork.values());
      for (const id of this.#atWork.keys()) this.context.fleet.setTraining(id, false);
    }
  }

  async #begin(): Promise<void> {
    const { journal } = this.context;
    if (this.#state.weights === null) {
      const bytes = await this.model.initialWeights(initialWeightsSeed(this.#state.seed));
      const weights = decodeWeights(bytes);
      const { id } = await journal.store.blobs.put(bytes);
      this.#global = { id, weights };
      await journal.append({
        type: "session_started",
        weights: id,
        parameters: weights.values.length,
      });
      return;
    }
    const id = this.#state.weights;
    const bytes = await journal.store.blobs.get(id);
    if (bytes === null) {
      throw new SessionFailedError(`Cannot resume ${journal.id} as its weights ${id} are gone`);
    }
    this.#global = { id, weights: decodeWeights(bytes) };
    await this.#resumeValidations();
  }

  /** Selects, waits for every echo, and journals who trains. */
  async #openRound(): Promise<void> {
    const { journal, fleet, selector, clock } = this.context;
    const { config, seed } = this.#state;
    const { client_selection_args: args, echo_timeout_s: echoSeconds } = config.session_config;
    const round = finishedRounds(this.#state) + 1;
    const candidates = await this.#awaitCandidates();
    const ownSeed = roundSeed(seed, round);
    const prng = seeded(ownSeed);
    const chosen = selector.select(
      { round, candidates },
      this.#state.selectorState ?? selector.initial(args),
      args,
      prng,
    );
    const isChosen = new Set(chosen.train);
    const refs = candidates.map(({ id, name }) => ({ id, name }));
    const { selected, replaced } = await echoSelected(
      refs.filter(({ id }) => isChosen.has(id)),
      refs.filter(({ id }) => !isChosen.has(id)),
      prng,
      async (client) => {
        await fleet.link(client.id).echo(journal.id, {
          signal: this.#signal,
          deadlineMs: echoSeconds * 1000,
        });
      },
    );
    this.#signal.throwIfAborted();
    if (selected.length === 0) {
      const silent = replaced.map(({ client, reason }) => `${client.name}: ${reason}`);
      throw new SessionFailedError(
        `No client is left for round ${round}: ${silent.join("; ") || "none was selected"}`,
      );
    }
    await journal.append({
      type: "round_started",
      round,
      seed: ownSeed,
      selected,
      replaced,
      weights: this.#global!.id,
      selectorState: chosen.state,
    });
    this.#roundStartedMs = clock.monotonicMs();
  }

  /** Waits until enough clients are there. */
  async #awaitCandidates(): Promise<Candidate[]> {
    const { journal, fleet, clock } = this.context;
    const { session_config: { min_clients: needed, wait_for_clients_s: seconds } } =
      this.#state.config;
    const { dataset } = this.#state.config.client_training_config;
    const deadline = clock.monotonicMs() + seconds * 1000;
    let told = -1;
    for (;;) {
      const members = fleet.holding(dataset)
        .filter(({ id }) => this.#state.inFlight[id] === undefined);
      if (members.length >= needed) return members.map((member) => this.#candidate(member));
      const left = deadline - clock.monotonicMs();
      if (left <= 0) {
        throw new SessionFailedError(
          `Cannot start round ${finishedRounds(this.#state) + 1} as min_clients is ${needed}: ` +
            `${members.length} came within ${seconds} s that hold the dataset "${dataset}", ` +
            `${fleet.activeCount()} are active in all`,
        );
      }
      if (told !== members.length) {
        journal.note({ type: "waiting_for_clients", present: members.length, needed });
        told = members.length;
      }
      await this.#nextChange(left);
    }
  }

  /** Waits for a client that was told to train before a restart, as long as for any client. */
  async #awaitReturn({ id }: ClientRef): Promise<void> {
    const { fleet, clock } = this.context;
    const { session_config, client_training_config: { dataset } } = this.#state.config;
    const deadline = clock.monotonicMs() + session_config.wait_for_clients_s * 1000;
    while (!fleet.holding(dataset).some((member) => member.id === id)) {
      const left = deadline - clock.monotonicMs();
      if (left <= 0) return;
      await this.#nextChange(left);
    }
  }

  /** Resolves when the fleet changes or the time is over. */
  async #nextChange(mostMs: number): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([this.#signal, over.signal]);
    await Promise.race([
      this.context.fleet.nextChange(either),
      this.context.clock.sleep(mostMs, either),
    ]).finally(() => over.abort());
  }

  #candidate({ id, name, samples, labelDistribution }: FleetMember): Candidate {
    const last = this.#state.rounds
      .flatMap(({ updates }) => updates)
      .findLast(({ client }) => client.id === id);
    return {
      id,
      name,
      samples,
      labelDistribution,
      lastMetrics: last?.metrics ?? null,
      lastRound: last?.round ?? null,
    };
  }

  /** Sends out what is not at work yet and takes answers until the round is complete. */
  async #gather(): Promise<void> {
    const { aggregator } = this.context;
    const args = this.#state.config.session_config.aggregator_args;
    for (const { client, round } of Object.values(this.#state.inFlight)) {
      if (!this.#atWork.has(client.id)) this.#send(client, round);
    }
    while (!aggregator.isComplete(this.#standing(), args)) {
      await this.#handle(await this.#inbox.take(this.#signal));
    }
  }

  #standing() {
    const { inFlight, pending, rounds } = this.#state;
    return {
      inFlight: Object.keys(inFlight).length,
      updates: pending.length,
      failures: rounds.at(-1)?.failures.length ?? 0,
    };
  }

  async #handle(input: Input): Promise<void> {
    await this.context.journal.append(input);
    if (input.type === "round_validated") {
      this.#validations--;
      const { finished } = this.#state.rounds.find(({ round }) => round === input.round)!;
      return await this.#discard([finished!.weights]);
    }
    this.#atWork.delete(input.client.id);
    this.context.fleet.setTraining(input.client.id, false);
    if (input.type === "client_failed") {
      this.context.logger.warning("client_failed", `${input.client.name}: ${input.reason}`, {
        session: this.#state.id,
        round: input.round,
      });
    }
  }

  /** Starts an assignment; its answer comes through the inbox. */
  #send(client: ClientRef, round: number): void {
    const { fleet, journal, clock, longestCallMs } = this.context;
    const { id, weights } = this.#global!;
    const work = async () => {
      // In a round of an earlier process the fleet fills only by and by.
      if (this.#roundStartedMs === null) await this.#awaitReturn(client);
      fleet.setTraining(client.id, true);
      const job = this.#job(client, round);
      return await carryOut({
        client,
        job,
        modelPackage: this.model.modelPackage,
        weights: { id, bytes: weights.bytes },
        layout: weights.layout,
      }, {
        link: fleet.link(client.id),
        blobs: journal.store.blobs,
        clock,
        signal: this.#signal,
        longestCallMs,
        note: (note) => journal.note(note),
      });
    };
    const answered = work().then(
      (update) => this.#inbox.put(update),
      (error) =>
        this.#inbox.put({ type: "client_failed", round, client, reason: messageOf(error) }),
    );
    this.#atWork.set(client.id, answered);
  }

  #job(client: ClientRef, round: number): TrainJob {
    const { id, config, rounds } = this.#state;
    const { client_training_config: training, model_config: { model_args: modelArgs } } = config;
    const { seed, selected } = rounds.find((record) => record.round === round)!;
    const hasTwin = selected.some(({ id, name }) => name === client.name && id !== client.id);
    return {
      session: id,
      round,
      modelId: this.model.modelPackage.id,
      packageHash: this.model.modelPackage.hash,
      modelArgs,
      dataset: training.dataset,
      weights: this.#global!.id,
      options: {
        batchSize: training.batch_size,
        epochs: training.epochs,
        learningRate: training.learning_rate,
        loss: training.loss_function,
        optimizer: training.optimizer,
        optimizerArgs: training.optimizer_args,
        timeLimitSeconds: training.train_timeout_duration_s,
        maxMiniBatches: training.max_mini_batches,
      },
      seed: trainingSeed(seed, hasTwin ? `${client.name} ${client.id}` : client.name),
      trainer: training.trainer,
    };
  }

  /** Aggregates what came in to new global weights. */
  async #closeRound(): Promise<void> {
    const { journal, aggregator, clock } = this.context;
    const { session_config: { min_updates: needed, aggregator_args: args } } = this.#state.config;
    const round = this.#state.rounds.at(-1)!;
    const updates = [...this.#state.pending].sort((a, b) => byName(a.client, b.client));
    if (updates.length < needed) {
      const failures = round.failures.map(({ client, reason }) => `${client.name}: ${reason}`);
      throw new SessionFailedError(
        `Round ${round.round} has ${updates.length} updates as min_updates is ${needed}: ` +
          failures.join("; "),
      );
    }
    const { blobs } = journal.store;
    const current = this.#global!.weights;
    const next = allocateWeights(current.layout);
    const aggregatorState = await aggregator.aggregate(
      {
        global: current,
        round: round.round,
        updates,
        read: updateReader(blobs),
        state: this.#state.aggregatorState ?? aggregator.initial(args),
      },
      args,
      next.values,
    );
    const { id } = await blobs.put(next.bytes);
    const previous = this.#global!.id;
    this.#global = { id, weights: next };
    await journal.append({
      type: "round_finished",
      round: round.round,
      weights: id,
      seconds: this.#roundStartedMs === null
        ? (clock.epochMs() - round.startedAt) / 1000
        : (clock.monotonicMs() - this.#roundStartedMs) / 1000,
      metrics: meanMetrics(updates),
      aggregatorState,
    });
    this.#roundStartedMs = null;
    if (this.#unvalidated().some((due) => due.round === round.round)) {
      this.#validate(round.round, next.bytes);
    }
    await this.#discard([...updates.map(({ weights }) => weights), previous]);
  }

  /**
   * Deletes those weights that nobody needs any more. The current ones may be among the spent
   * updates (a lone client), and those that are still to be evaluated must outlive a restart.
   */
  async #discard(spent: readonly WeightsId[]): Promise<void> {
    const { blobs } = this.context.journal.store;
    const needed = new Set([
      this.#global!.id,
      ...this.#state.pending.map(({ weights }) => weights),
      ...this.#unvalidated().map(({ finished }) => finished!.weights),
    ]);
    for (const id of new Set(spent)) if (!needed.has(id)) await blobs.delete(id);
  }

  /** Finished rounds whose evaluation is due and not journalled. */
  #unvalidated(): RoundRecord[] {
    const { validation_round_interval: interval } = this.#state.config.session_config;
    const { num_training_rounds: rounds } = this.#state.config.server_training_config;
    if (this.model.validate === null || interval === 0) return [];
    return this.#state.rounds.filter(({ round, finished, validation }) =>
      finished !== null && validation === null && (round % interval === 0 || round === rounds)
    );
  }

  /** Evaluates beside the loop; the result comes through the inbox. */
  #validate(round: number, bytes: Uint8Array): void {
    this.#validations++;
    this.model.validate!(bytes, this.#signal).then(
      (validation) => this.#inbox.put({ type: "round_validated", round, validation }),
      (error) => {
        if (!this.#signal.aborted) this.controller.abort(error);
      },
    );
  }

  /** After a restart: makes up for the evaluations that were cut off before they were journalled. */
  async #resumeValidations(): Promise<void> {
    const { blobs } = this.context.journal.store;
    for (const { round, finished } of this.#unvalidated()) {
      const bytes = await blobs.get(finished!.weights);
      if (bytes !== null) this.#validate(round, bytes);
    }
  }

  async #finish(): Promise<void> {
    const { journal, saveResults } = this.context;
    const finished: SessionEvent = { type: "session_finished", weights: this.#global!.id };
    const { state, entry } = journal.preview(finished);
    await saveResults(state, entry, this.#global!.weights.bytes);
    await journal.append(finished);
  }

  /** Fails the run when `global_timeout_duration_s` is over. @returns ends the watch */
  #boundTheWhole(): () => void {
    const { global_timeout_duration_s: seconds } = this.#state.config.server_training_config;
    const done = new AbortController();
    if (seconds !== null) {
      this.context.clock.sleep(seconds * 1000, done.signal).then(
        () =>
          this.controller.abort(
            new SessionFailedError(`The run takes longer than its global timeout of ${seconds} s`),
          ),
        () => {},
      );
    }
    return () => done.abort();
  }
}

/** The clients' training metrics, weighted by samples; accuracy is null if any client has none. */
function meanMetrics(updates: readonly UpdateReceived[]) {
  const total = updates.reduce((sum, { samples }) => sum + samples, 0);
  const mean = (value: (update: UpdateReceived) => number) =>
    updates.reduce((sum, update) => sum + value(update) * update.samples, 0) / total;
  const classifies = updates.every(({ metrics }) => metrics.accuracy !== null);
  return {
    loss: mean(({ metrics }) => metrics.loss),
    accuracy: classifies ? mean(({ metrics }) => metrics.accuracy!) : null,
  };
}
