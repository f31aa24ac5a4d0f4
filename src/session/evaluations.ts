/**
 * Evaluation of a run's global models on the leader's validation set, beside the round loop: the
 * next round does not wait for it.
 */
import type { WeightsId } from "../core/ids.ts";
import type { RoundValidated } from "./events.ts";
import type { RunModel } from "./run_context.ts";
import type { SessionJournal } from "./session_journal.ts";
import { lastFinished, roundsOver } from "./state.ts";

/** A finished round's model that is still to be evaluated. */
export interface DueEvaluation {
  readonly round: number;
  readonly weights: WeightsId;
}

/** The evaluations of one run. */
export class Evaluations {
  readonly #underWay = new Set<number>();

  /**
   * @param validate null if the leader has no validation set: none is due then
   * @param answer takes each result, and must call {@link done} once it is journalled
   * @param fail takes the error of an evaluation that broke, which ends the run
   * @param signal cuts all evaluations off; nothing is answered any more
   */
  constructor(
    readonly journal: SessionJournal,
    readonly validate: RunModel["validate"],
    readonly answer: (result: RoundValidated) => void,
    readonly fail: (error: unknown) => void,
    readonly signal: AbortSignal,
  ) {}

  /** How many have started and are not journalled. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Those of finished rounds that are not journalled. */
  due(): DueEvaluation[] {
    const { config, rounds } = this.journal.state;
    const { validation_round_interval: interval } = config.session_config;
    const { num_training_rounds: total } = config.server_training_config;
    if (this.validate === null || interval === 0) return [];
    // The run's result is evaluated in any case: the weights of the last round, unless that was
    // given up.
    const last = roundsOver(this.journal.state) < total
      ? total
      : lastFinished(this.journal.state)?.round;
    return rounds.flatMap(({ round, finished, validation }) =>
      finished !== null && validation === null && (round % interval === 0 || round === last)
        ? [{ round, weights: finished.weights }]
        : []
    );
  }

  /** Starts the evaluation of a round's weights, if it is due and not under way. */
  start(round: number, weights: Uint8Array): void {
    if (this.#underWay.has(round)) return;
    if (!this.due().some((evaluation) => evaluation.round === round)) return;
    this.#underWay.add(round);
    this.validate!(weights, this.signal).then(
      (validation) => this.answer({ type: "round_validated", round, validation }),
      (error) => {
        if (!this.signal.aborted) this.fail(error);
      },
    );
  }

  /** The result of this round is journalled. */
  done(round: number): void {
    this.#underWay.delete(round);
  }

  /** After a restart: makes up for those that were cut off before they were journalled. */
  async resume(): Promise<void> {
    for (const { round, weights } of this.due()) {
      const bytes = await this.journal.store.blobs.get(weights);
      if (bytes !== null) this.start(round, bytes);
    }
  }
}
