/**
 * The round loop. It is serial: whatever comes in from clients and validations passes one inbox, is
 * appended to the journal, folded, and only then answered with the next step. Everything it knows
 * is in the journal, so a run that was cut off goes on from there: it repeats only the assignments
 * that have no answer yet.
 */
import { crashPoint } from "../core/crash_point.ts";
import { messageOf, SessionFailedError } from "../core/errors.ts";
import { byName, type ClientId, type ClientRef, type WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import { seeded } from "../core/prng.ts";
import { allocateWeights, decodeWeights, type EncodedWeights } from "../core/weights.ts";
import { carryOut } from "./assignment.ts";
import { Candidates } from "./candidates.ts";
import { type EchoOutcome, echoSelected } from "./echo.ts";
import { Evaluations } from "./evaluations.ts";
import type { ClientFailed, RoundValidated, SessionEvent, UpdateReceived } from "./events.ts";
import { changeWithin } from "./fleet.ts";
import { Inbox } from "./inbox.ts";
import { isCheckpoint } from "./kept_rounds.ts";
import { throughLosses } from "./losses.ts";
import { releaseClients } from "./release.ts";
import type { EngineContext, RunModel } from "./run_context.ts";
import { initialWeightsSeed, roundSeed } from "./seeds.ts";
import { finishedRounds, openRound, type SessionState } from "./state.ts";
import { StoredWeights } from "./stored_weights.ts";
import { trainJob } from "./train_job.ts";
import { updateReader } from "./update_reader.ts";

type Input = UpdateReceived | ClientFailed | RoundValidated;

/** Longest pause before another try when too few of those selected have answered. */
const SELECT_AGAIN_MS = 200;

/** Who shall train, and among whom they were selected. */
interface Selection extends EchoOutcome {
  readonly refs: readonly ClientRef[];
  readonly selectorState: JsonObject;
}

/** One run in this process. */
export class RoundLoop {
  readonly #inbox = new Inbox<Input>();
  /** Assignments of clients that this process has told to train and that have not answered. */
  readonly #atWork = new Map<ClientId, Promise<void>>();
  readonly #candidates: Candidates;
  readonly #evaluations: Evaluations;
  readonly #stored: StoredWeights;
  /** Monotonic; null in a round that an earlier process started. */
  #roundStartedMs: number | null = null;
  /** The current global weights. */
  #global: { readonly id: WeightsId; readonly weights: EncodedWeights } | null = null;

  constructor(
    readonly context: EngineContext,
    readonly model: RunModel,
    readonly controller: AbortController,
  ) {
    this.#candidates = new Candidates(context, this.#signal);
    this.#evaluations = new Evaluations(
      context.journal,
      model.validate,
      (result) => this.#inbox.put(result),
      (error) => controller.abort(error),
      this.#signal,
    );
    this.#stored = new StoredWeights(context, () => this.#evaluations.due());
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
      while (finishedRounds(this.#state) < rounds) {
        if (openRound(this.#state) === null) await this.#openRound();
        await this.#gather();
        await this.#closeRound();
      }
      while (this.#evaluations.underWay > 0) {
        await this.#handle(await this.#inbox.take(this.#signal));
      }
      await this.#finish();
    } finally {
      stopClock();
      this.controller.abort(new SessionFailedError("The session has ended"));
      // Nothing may write to the store any more once the run is over.
      await Promise.all(this.#atWork.values());
      for (const id of this.#atWork.keys()) this.context.fleet.setTraining(id, false);
      await this.#stored.discardUndelivered().catch((error) => {
        // How the run ends matters more.
        this.context.logger.warning("weights_left", messageOf(error), { session: this.#state.id });
      });
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
    this.#candidates.expectReturn();
    // A crash may have come before it.
    await this.#saveCheckpoint();
    await this.#stored.discardSpent();
    await this.#evaluations.resume();
  }

  /** Journals who trains. */
  async #openRound(): Promise<void> {
    const { journal, clock } = this.context;
    const round = finishedRounds(this.#state) + 1;
    const ownSeed = roundSeed(this.#state.seed, round);
    const { selected, replaced, refs, selectorState } = await this.#select(round, ownSeed);
    if (selected.length === 0) {
      const silent = replaced.map(({ client, reason }) => `${client.name}: ${reason}`);
      throw new SessionFailedError(
        `No client is left for round ${round}: ${silent.join("; ") || "none was selected"}`,
      );
    }
    const asked = new Set(
      [...selected, ...replaced.map(({ client }) => client)].map(({ id }) => id),
    );
    await journal.append({
      type: "round_started",
      round,
      seed: ownSeed,
      selected,
      replaced,
      spares: refs.filter(({ id }) => !asked.has(id)),
      weights: this.#global!.id,
      selectorState,
    });
    this.#roundStartedMs = clock.monotonicMs();
  }

  /**
   * Selects and waits for every echo. Where those who answer are too few for the round, it begins
   * anew for as long as a lost client has to come back: one may have died since the last round.
   */
  async #select(round: number, seed: number): Promise<Selection> {
    const { fleet, clock, returnMs } = this.context;
    const { min_clients, min_updates, wait_for_clients_s } = this.#state.config.session_config;
    const untilMs = clock.monotonicMs() + Math.min(wait_for_clients_s * 1000, returnMs);
    for (;;) {
      const { chosen, ...selection } = await this.#selectOnce(round, seed);
      const needed = Math.min(chosen, Math.max(min_clients, min_updates));
      const leftMs = untilMs - clock.monotonicMs();
      if (selection.selected.length >= needed || leftMs <= 0) return selection;
      await changeWithin(fleet, clock, Math.min(SELECT_AGAIN_MS, leftMs), this.#signal);
    }
  }

  async #selectOnce(round: number, seed: number): Promise<Selection & { chosen: number }> {
    const { journal, fleet, selector } = this.context;
    const { config } = this.#state;
    const { client_selection_args: args, echo_timeout_s: echoSeconds } = config.session_config;
    const candidates = await this.#candidates.enough();
    const prng = seeded(seed);
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
    const { train, state: selectorState } = chosen;
    return { selected, replaced, refs, selectorState, chosen: train.length };
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
      this.#evaluations.done(input.round);
      const { finished } = this.#state.rounds.find(({ round }) => round === input.round)!;
      return await this.#stored.discard([finished!.weights]);
    }
    this.#atWork.delete(input.client.id);
    this.context.fleet.setTraining(input.client.id, false);
    if (input.type === "client_failed") {
      this.context.logger.warning("client_failed", `${input.client.name}: ${input.reason}`, {
        session: this.#state.id,
        round: input.round,
      });
    }
    await this.#stored.answered(input.client.id);
  }

  /** Starts an assignment; its answer comes through the inbox. */
  #send(client: ClientRef, round: number): void {
    const { fleet, journal, clock, longestCallMs } = this.context;
    const { id, weights } = this.#global!;
    const work = async () => {
      fleet.setTraining(client.id, true);
      const { modelPackage } = this.model;
      const job = trainJob(this.#state, { client, round, modelPackage, weights: id });
      const { layout } = weights;
      const assignment = {
        client,
        job,
        modelPackage,
        weights: { id, bytes: weights.bytes },
        layout,
      };
      const attempt = async (reached: () => void) =>
        await carryOut(assignment, {
          link: fleet.link(client.id),
          blobs: journal.store.blobs,
          clock,
          signal: this.#signal,
          longestCallMs,
          note(note) {
            reached();
            journal.note(note);
          },
          stored: (update) => this.#stored.arrived(client.id, update),
        });
      return await throughLosses(attempt, {
        ...this.context,
        signal: this.#signal,
        // In a round of an earlier process the fleet fills only by and by.
        lostSinceMs: this.#roundStartedMs === null ? clock.monotonicMs() : null,
      });
    };
    const answered = work().then(
      (update) => this.#inbox.put(update),
      (error) =>
        this.#inbox.put({ type: "client_failed", round, client, reason: messageOf(error) }),
    );
    this.#atWork.set(client.id, answered);
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
    crashPoint("aggregated");
    const { id } = await blobs.put(next.bytes);
    crashPoint("aggregate_stored");
    const previous = this.#global!.id;
    this.#global = { id, weights: next };
    await journal.append({
      type: "round_finished",
      round: round.round,
      weights: id,
      seconds: this.#roundStartedMs === null
        ? Math.max(0, clock.epochMs() - round.startedAt) / 1000
        : (clock.monotonicMs() - this.#roundStartedMs) / 1000,
      metrics: meanMetrics(updates),
      aggregatorState,
    });
    this.#roundStartedMs = null;
    await this.#saveCheckpoint();
    this.#evaluations.start(round.round, next.bytes);
    await this.#stored.discard([...updates.map(({ weights }) => weights), previous]);
  }

  /** Writes the checkpoint of the last finished round, if one is due. */
  async #saveCheckpoint(): Promise<void> {
    const round = finishedRounds(this.#state);
    if (!isCheckpoint(round, this.#state.config.session_config.checkpoint_interval)) return;
    await this.context.saveCheckpoint?.(round);
  }

  async #finish(): Promise<void> {
    const { journal, saveResults } = this.context;
    const finished: SessionEvent = { type: "session_finished", weights: this.#global!.id };
    const { state, entry } = journal.preview(finished);
    await saveResults(state, entry, this.#global!.weights.bytes);
    crashPoint("results_saved");
    await releaseClients(this.context);
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
