/** The clients that this process has told to train and that have not answered. */
import { messageOf } from "../core/errors.ts";
import type { ClientId, ClientRef } from "../core/ids.ts";
import type { Benchmark } from "../core/metrics.ts";
import type { ClientLink, TrainJob } from "../rpc/transport.ts";
import { carryOut, distribute, trainingDeadlineMs } from "./assignment.ts";
import type { ClientFailed, ClientValidation, UpdateReceived } from "./events.ts";
import type { GlobalWeights } from "./global_weights.ts";
import { throughLosses } from "./losses.ts";
import type { EngineContext, RunModel } from "./run_context.ts";
import { type Assigned, roundsOver, type SessionState } from "./state.ts";
import type { StoredWeights } from "./stored_weights.ts";
import { benchmarkJob, trainJob, validationJob } from "./train_job.ts";

/** Milliseconds that a client has to validate the global weights on its own data. */
const VALIDATION_MS = 10 * 60_000;

/** What work needs from the loop. */
export interface WorkContext {
  readonly run: EngineContext;
  readonly model: RunModel;
  readonly stored: StoredWeights;
  readonly signal: AbortSignal;
  /** The current global weights. */
  global(): GlobalWeights;
  /** Takes each answer. */
  answer(event: UpdateReceived | ClientFailed): void;
}

/** The work of one run's clients. */
export class ClientWork {
  readonly #atWork = new Map<ClientId, Promise<void>>();
  /** Clients that were told to train by an earlier process: they may be on their way back. */
  #owing = new Set<ClientId>();

  constructor(readonly context: WorkContext) {}

  get #state(): SessionState {
    return this.context.run.journal.state;
  }

  /** After a restart: what is in flight now will be waited for before it is sent again. */
  expectReturn(): void {
    this.#owing = new Set(Object.keys(this.#state.inFlight));
  }

  /** Starts all assignments that are in flight and not at work; answers come by themselves. */
  sendAll(): void {
    for (const assigned of Object.values(this.#state.inFlight)) {
      if (!this.#atWork.has(assigned.client.id)) this.#send(assigned);
    }
  }

  /** A client's answer is journalled. */
  done(client: ClientId): void {
    this.#atWork.delete(client);
    this.context.run.fleet.setTraining(client, false);
  }

  /** Resolves when all have ended, which they do once the signal has aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#atWork.values());
    for (const id of this.#atWork.keys()) this.context.run.fleet.setTraining(id, false);
  }

  /**
   * Has a client validate the global weights on its own test split.
   *
   * @throws {RpcError} the client cannot be reached, refuses, or misses a deadline
   */
  async validate(client: ClientRef, round: number): Promise<ClientValidation> {
    const { model: { modelPackage }, signal, global } = this.context;
    const weights = global().id;
    const job = validationJob(this.#state, { client, round, modelPackage, weights });
    const { link, bytesDown } = await this.#prepared(client, job);
    const evaluation = await link.validate(job, { signal, deadlineMs: VALIDATION_MS });
    return evaluation.samples > 0
      ? { client, evaluation, reason: null, bytesDown }
      : { client, evaluation: null, reason: "It has no test split", bytesDown };
  }

  /** The job by which a client is measured. */
  benchmarkJob(client: ClientRef): TrainJob {
    const { model: { modelPackage }, global } = this.context;
    const round = roundsOver(this.#state) + 1;
    return benchmarkJob(this.#state, { client, round, modelPackage, weights: global().id });
  }

  /**
   * Has a client do a job for the time it takes.
   *
   * @throws {RpcError} as {@link validate}
   */
  async benchmark(client: ClientRef, job: TrainJob): Promise<Benchmark> {
    const { link } = await this.#prepared(client, job);
    const deadlineMs = trainingDeadlineMs(job, this.context.run.longestCallMs);
    return await link.benchmark(job, { signal: this.context.signal, deadlineMs });
  }

  /** The link to a client that has been sent what a job on the global weights needs, in bytes. */
  async #prepared(
    client: ClientRef,
    job: TrainJob,
  ): Promise<{ link: ClientLink; bytesDown: number }> {
    const { run: { fleet, longestCallMs }, model: { modelPackage }, signal, global } = this.context;
    const current = global();
    const link = fleet.link(client.id);
    const readWeights = () => current.encoded(job.weights);
    const bytesDown = await distribute({ job, modelPackage, readWeights }, {
      link,
      signal,
      longestCallMs,
    });
    return { link, bytesDown };
  }

  #send({ client, round, group }: Assigned): void {
    const { run, model: { modelPackage }, stored, signal, global, answer } = this.context;
    const { fleet, journal, clock, longestCallMs, returnMs } = run;
    const { startWeights } = this.#state.rounds[round - 1]!;
    const work = async () => {
      fleet.setTraining(client.id, true);
      const assignment = {
        client,
        group,
        job: trainJob(this.#state, { client, round, modelPackage, weights: startWeights }),
        modelPackage,
        readWeights: () => global().encoded(startWeights),
        layout: global().weights.layout,
      };
      const attempt = async (reached: () => void) =>
        await carryOut(assignment, {
          link: fleet.link(client.id),
          blobs: journal.store.blobs,
          clock,
          signal,
          longestCallMs,
          note(note) {
            reached();
            journal.note(note);
          },
          stored: (update) => stored.arrived(client.id, update),
        });
      // Of an earlier process: the fleet fills only by and by.
      const lostSinceMs = this.#owing.has(client.id) ? clock.monotonicMs() : null;
      return await throughLosses(attempt, { clock, fleet, returnMs, lostSinceMs, signal });
    };
    const answered = work().then(
      answer,
      (error) => answer({ type: "client_failed", round, client, reason: messageOf(error) }),
    ).finally(() => this.#owing.delete(client.id));
    this.#atWork.set(client.id, answered);
  }
}
