/**
 * The round loop. It is serial: whatever comes in from clients and validations passes one inbox, is
 * appended to the journal, folded, and only then answered with the next step. Everything it knows
 * is in the journal, so a run that was cut off goes on from there: it repeats only the assignments
 * that have no answer yet.
 *
 * Synchronous, asynchronous and tiered runs are the same loop. Selector and aggregator decide: the
 * one whom to give work, at the start of a round and after each answer in it, the other which
 * updates complete it. Who is still at work then goes on, from the weights of its own round.
 */
import { crashPoint } from "../core/crash_point.ts";
import { messageOf, SessionFailedError } from "../core/errors.ts";
import { AggregationStep } from "./aggregation_step.ts";
import { Benchmarks } from "./benchmarks.ts";
import { Candidates } from "./candidates.ts";
import { ClientWork } from "./client_work.ts";
import { Evaluations } from "./evaluations.ts";
import type {
  ClientBenchmarked,
  ClientFailed,
  RoundValidated,
  SessionEvent,
  UpdateReceived,
} from "./events.ts";
import { reasonToGiveUp } from "./given_up.ts";
import { GlobalWeights } from "./global_weights.ts";
import { Inbox } from "./inbox.ts";
import { isCheckpoint } from "./kept_rounds.ts";
import { releaseClients } from "./release.ts";
import type { EngineContext, RunModel } from "./run_context.ts";
import { initialWeightsSeed } from "./seeds.ts";
import { SelectionStep } from "./selection_step.ts";
import { lastFinished, openRound, roundsOver, type SessionState } from "./state.ts";
import { discardUnfinished, StoredWeights } from "./stored_weights.ts";

type Input = UpdateReceived | ClientFailed | RoundValidated | ClientBenchmarked;

/** Evaluations that may wait, each with its weights: short rounds go on no faster than they. */
const MOST_EVALUATIONS = 4;

/** One run in this process. */
export class RoundLoop {
  readonly #inbox = new Inbox<Input>();
  readonly #candidates: Candidates;
  readonly #work: ClientWork;
  readonly #benchmarks: Benchmarks;
  readonly #selection: SelectionStep;
  readonly #aggregation: AggregationStep;
  readonly #evaluations: Evaluations;
  readonly #stored: StoredWeights;
  /** Monotonic; null in a round that an earlier process started. */
  #roundStartedMs: number | null = null;
  /** The current global weights; null before the start. */
  #global: GlobalWeights | null = null;

  constructor(
    readonly context: EngineContext,
    readonly model: RunModel,
    readonly controller: AbortController,
  ) {
    const { signal } = controller;
    const global = () => this.#global!;
    this.#candidates = new Candidates(context, signal);
    this.#evaluations = new Evaluations(
      context.journal,
      model.validate,
      (result) => this.#inbox.put(result),
      (error) => controller.abort(error),
      signal,
    );
    this.#stored = new StoredWeights(context, () => this.#evaluations.due());
    this.#work = new ClientWork({
      run: context,
      model,
      stored: this.#stored,
      signal,
      global,
      answer: (event) => this.#inbox.put(event),
    });
    this.#benchmarks = new Benchmarks({
      ...context,
      candidates: this.#candidates,
      jobFor: (client) => this.#work.benchmarkJob(client),
      measure: (client, job) => this.#work.benchmark(client, job),
      answer: (event) => this.#inbox.put(event),
    });
    this.#selection = new SelectionStep({
      ...context,
      candidates: this.#candidates,
      signal,
      global,
      validate: (client, round) => this.#work.validate(client, round),
    });
    this.#aggregation = new AggregationStep(context);
  }

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
      while (roundsOver(this.#state) < rounds) {
        if (openRound(this.#state) === null) await this.#openRound();
        const complete = await this.#gather();
        if (complete.length >= this.#state.config.session_config.min_updates) {
          await this.#closeRound(complete);
        } else {
          await this.#giveUp(complete);
        }
      }
      await this.#evaluateUntil(0);
      await this.#finish();
    } finally {
      stopClock();
      this.controller.abort(new SessionFailedError("The session has ended"));
      // Nothing may write to the store any more once the run is over.
      await this.#work.ended();
      await this.#benchmarks.ended();
      await this.#tidyUp().catch((error) => {
        // How the run ends matters more.
        this.context.logger.warning("weights_left", messageOf(error), { session: this.#state.id });
      });
    }
  }

  async #begin(): Promise<void> {
    const { journal } = this.context;
    const { blobs } = journal.store;
    if (this.#state.weights === null) {
      const bytes = await this.model.initialWeights(initialWeightsSeed(this.#state.seed));
      this.#global = await GlobalWeights.store(blobs, bytes);
      const { id, weights } = this.#global;
      await journal.append({
        type: "session_started",
        weights: id,
        parameters: weights.values.length,
      });
      return;
    }
    this.#global = await GlobalWeights.read(blobs, this.#state.weights);
    this.#candidates.expectReturn();
    this.#work.expectReturn();
    // A crash may have come before it.
    await this.#saveCheckpoint();
    await this.#stored.discardSpent();
    await this.#evaluations.resume();
  }

  async #openRound(): Promise<void> {
    if (this.#benchmarks.wanted) this.#benchmarks.start(await this.#candidates.enough());
    while (this.#benchmarks.mustWait()) await this.#handle(await this.#inbox.take(this.#signal));
    await this.#selection.open();
    this.#roundStartedMs = this.context.clock.monotonicMs();
  }

  /** Sends out what is not at work yet and takes answers until the round is complete. */
  async #gather(): Promise<readonly UpdateReceived[]> {
    // After a failure a replacement goes first: the rest of the round can wait for it.
    let hasFailed = openRound(this.#state)!.failures.length > 0;
    for (;;) {
      this.#work.sendAll();
      const ready = await this.#aggregation.ready();
      if (ready !== null && ready.length > 0 && !hasFailed) return ready;
      if (await this.#selection.refill()) {
        hasFailed = false;
        continue;
      }
      if (ready !== null) return ready;
      const input = await this.#inbox.take(this.#signal);
      await this.#handle(input);
      hasFailed = input.type === "client_failed";
    }
  }

  async #handle(input: Input): Promise<void> {
    await this.context.journal.append(input);
    if (input.type === "round_validated") {
      this.#evaluations.done(input.round);
      const { finished } = this.#state.rounds[input.round - 1]!;
      return await this.#stored.discard([finished!.weights]);
    }
    if (input.type === "client_benchmarked") return this.#benchmarks.done(input);
    this.#work.done(input.client.id);
    if (input.type === "client_failed") {
      this.context.logger.warning("client_failed", `${input.client.name}: ${input.reason}`, {
        session: this.#state.id,
        round: input.round,
      });
    }
    await this.#stored.answered(input.client.id, this.#state.rounds[input.round - 1]!.startWeights);
  }

  /** Aggregates the updates that complete the round to new global weights. */
  async #closeRound(complete: readonly UpdateReceived[]): Promise<void> {
    const { journal } = this.context;
    const { round } = openRound(this.#state)!;
    const { kept: keptBefore, pending } = this.#state;
    const previous = this.#global!;
    const { weights, state, updates, kept } = await this.#aggregation.aggregate(
      previous.weights,
      complete,
    );
    crashPoint("aggregated");
    this.#global = await GlobalWeights.store(journal.store.blobs, weights.bytes, weights);
    crashPoint("aggregate_stored");
    await journal.append({
      type: "round_finished",
      round,
      weights: this.#global.id,
      seconds: this.#secondsOfRound(),
      metrics: meanMetrics(updates),
      aggregatorState: state,
      ...(updates.length < pending.length && {
        aggregated: updates.map(({ client, round }) => ({ client: client.id, round })),
      }),
      ...(Object.keys(kept).length > 0 && { kept }),
    });
    this.#roundStartedMs = null;
    await this.#saveCheckpoint();
    this.#evaluations.start(round, weights.bytes);
    await this.#stored.discard([
      ...updates.map((update) => update.weights),
      ...Object.values(keptBefore),
      previous.id,
    ]);
    await this.#evaluateUntil(MOST_EVALUATIONS);
  }

  /**
   * Goes on without the open round, from the weights as they are.
   *
   * @throws {SessionFailedError} the run fails of it, see {@link reasonToGiveUp}
   */
  async #giveUp(complete: readonly UpdateReceived[]): Promise<void> {
    const { journal, logger } = this.context;
    const { round } = openRound(this.#state)!;
    const reason = reasonToGiveUp(this.#state, complete.length);
    const seconds = this.#secondsOfRound();
    await journal.append({ type: "round_given_up", round, reason, seconds });
    logger.warning("round_given_up", `Round ${round} is given up: ${reason}`, {
      session: this.#state.id,
      round,
    });
    this.#roundStartedMs = null;
    // Of the last round: the weights of the one before are the run's, and may not be evaluated.
    const last = lastFinished(this.#state);
    if (last !== undefined) this.#evaluations.start(last.round, this.#global!.weights.bytes);
    await this.#stored.discard(complete.map((update) => update.weights));
  }

  /** Since the start of the open round. */
  #secondsOfRound(): number {
    const { clock } = this.context;
    return this.#roundStartedMs === null
      ? Math.max(0, clock.epochMs() - openRound(this.#state)!.startedAt) / 1000
      : (clock.monotonicMs() - this.#roundStartedMs) / 1000;
  }

  /** Takes what comes in until at most so many evaluations are under way. */
  async #evaluateUntil(most: number): Promise<void> {
    while (this.#evaluations.underWay > most) {
      await this.#handle(await this.#inbox.take(this.#signal));
    }
  }

  /** Writes the checkpoint of the round that has just finished, if one is due. */
  async #saveCheckpoint(): Promise<void> {
    const round = roundsOver(this.#state);
    if (!this.#state.rounds[round - 1]?.finished) return;
    if (!isCheckpoint(round, this.#state.config.session_config.checkpoint_interval)) return;
    await this.context.saveCheckpoint?.(round);
  }

  async #finish(): Promise<void> {
    const { journal, saveResults } = this.context;
    const { id, weights } = this.#global!;
    const finished: SessionEvent = { type: "session_finished", weights: id };
    const { state, entry } = journal.preview(finished);
    await saveResults(state, entry, weights.bytes);
    crashPoint("results_saved");
    await releaseClients(this.context);
    await journal.append(finished);
  }

  /** Deletes what is left in the store, of clients that were still at work above all. */
  async #tidyUp(): Promise<void> {
    await this.#stored.discardUndelivered();
    if (this.#state.status === "finished") await discardUnfinished(this.context);
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
