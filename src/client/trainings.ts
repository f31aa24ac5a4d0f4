/**
 * Trainings under way on a client. A call for a job that is being trained joins it, and a call that
 * breaks off leaves it going: the leader that comes back finds the work where it would have been.
 */
import { FlotillaError } from "../core/errors.ts";
import type { FinishedUpdate, TrainJob, TrainProgress } from "../rpc/transport.ts";
import { jobKey } from "./kept_results.ts";

type OnProgress = (progress: TrainProgress) => void;

interface Training {
  readonly key: string;
  readonly session: string;
  readonly over: AbortController;
  readonly result: Promise<FinishedUpdate>;
  /** Those of the calls that wait for the result. */
  readonly listeners: Set<OnProgress>;
}

/** What one client trains. */
export class Trainings {
  readonly #underWay = new Set<Training>();

  /** Whether a job is being trained. */
  has(job: TrainJob): boolean {
    return this.#find(job) !== undefined;
  }

  /**
   * Waits for the training of a job, and begins it if it is not under way. A training of the same
   * session, or one that no call waits for any more, makes way for another job.
   *
   * @param begin trains; its signal aborts when nobody can want the result any more
   * @param signal ends the waiting, not the training
   */
  async join(
    job: TrainJob,
    begin: (onProgress: OnProgress, signal: AbortSignal) => Promise<FinishedUpdate>,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<FinishedUpdate> {
    signal.throwIfAborted();
    const training = this.#find(job) ?? this.#begin(job, begin);
    const gone = Promise.withResolvers<never>();
    const leave = () => gone.reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    // Each call has a listener of its own, also if two are given the same function.
    const listener: OnProgress = (progress) => onProgress(progress);
    training.listeners.add(listener);
    try {
      return await Promise.race([training.result, gone.promise]);
    } finally {
      training.listeners.delete(listener);
      signal.removeEventListener("abort", leave);
    }
  }

  /** Ends the trainings of a session: the leader wants no result of them. */
  end(session: string): void {
    this.#endThose((training) => training.session === session);
  }

  #find(job: TrainJob): Training | undefined {
    const key = jobKey(job);
    return [...this.#underWay].find((training) => training.key === key);
  }

  #begin(
    job: TrainJob,
    begin: (onProgress: OnProgress, signal: AbortSignal) => Promise<FinishedUpdate>,
  ): Training {
    this.#endThose(({ session, listeners }) => session === job.session || listeners.size === 0);
    const over = new AbortController();
    const listeners = new Set<OnProgress>();
    const result = begin((progress) => {
      for (const listener of listeners) listener(progress);
    }, over.signal);
    const training = { key: jobKey(job), session: job.session, over, result, listeners };
    this.#underWay.add(training);
    const forget = () => this.#underWay.delete(training);
    // An error that no call waits for is nobody's.
    result.then(forget, forget);
    return training;
  }

  #endThose(isOver: (training: Training) => boolean): void {
    for (const training of [...this.#underWay].filter(isOver)) {
      this.#underWay.delete(training);
      training.over.abort(new FlotillaError("Cannot go on training as the leader has moved on"));
    }
  }
}
