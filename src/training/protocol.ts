/** The messages between a trainer and its worker: plain data, one job at a time. */
import type { DatasetSpec } from "../data/dataset.ts";
import type { QuestionAnswers, QuestionKind, Questions } from "./model_worker/protocol.ts";
import type { PassedError } from "./passed_error.ts";
import type {
  EvaluationRequest,
  ModelSource,
  OnProgress,
  TrainingRequest,
  TrainingResult,
} from "./trainer.ts";
import type { ArithmeticChoice } from "./arithmetic_choice.ts";
import type { DeviceChoice } from "./device_choice.ts";
import type { EndFlag } from "./threads/barrier.ts";
import type { ThreadsChoice } from "./threads_choice.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { ModelProgram } from "./step/program.ts";
import type { TrainingSeeds } from "./train_loop.ts";

/** A request with its dataset folder read into a description; the worker itself never sleeps. */
type WithDataset<T> = Omit<T, "datasetFolder" | "slowdown"> & { readonly dataset: DatasetSpec };

/** A job by kind. */
export interface Jobs {
  /** Loads and tries what compiles steps. */
  readonly prepare: null;
  readonly check: WithDataset<{ readonly source: ModelSource; readonly loss: string }>;
  readonly train: WithDataset<Omit<TrainingRequest, "seed">> & { readonly seeds: TrainingSeeds };
  readonly evaluate: WithDataset<EvaluationRequest>;
}

/** What each kind of job gives. */
export interface Answers {
  readonly prepare: null;
  readonly check: null;
  readonly train: TrainingResult;
  readonly evaluate: {
    readonly evaluation: Evaluation;
    /** That its steps took. */
    readonly seconds: number;
  };
}

/** A kind of job. */
export type JobKind = keyof Jobs;

/** How a worker computes, the same for all its jobs. */
export interface EngineSettings {
  readonly arithmetic: ArithmeticChoice;
  /** Threads that share each step; "auto": as many as cores. @default 1 */
  readonly threads?: ThreadsChoice;
  /** Where steps are computed. @default "cpu" */
  readonly device?: DeviceChoice;
  /** Items of a dataset that are more stay on disk and are read batch by batch. @default {Infinity} */
  readonly datasetBytes?: number;
}

/** To the worker. */
export type ToWorker = JobMessage | AnswerToQuestion;

/** The answer to a question of the worker. */
export type AnswerToQuestion =
  & { readonly id: number; readonly kind: "answer" }
  & ({ readonly answer: QuestionAnswers[QuestionKind] } | { readonly error: PassedError });

/** A job for the worker. */
export interface JobMessage<K extends JobKind = JobKind> {
  readonly id: number;
  readonly kind: K;
  readonly job: Jobs[K];
  /** Of the job's model; null if there is none, or the worker has it. */
  readonly program: ModelProgram | null;
  readonly engine: EngineSettings;
  /** One 32-bit number, not 0 once the job shall end: seen within a step, without an event loop. */
  readonly cancel: Int32Array<SharedArrayBuffer>;
  /** Set when the worker is ended, for the threads that it has started. */
  readonly ended: EndFlag;
}

/** From the worker. */
export type WorkerMessage =
  | {
    readonly id: number;
    readonly kind: "progress";
    readonly progress: Parameters<OnProgress>[0];
    /** Of steps so far. */
    readonly seconds: number;
  }
  | {
    readonly id: number;
    readonly kind: "done";
    readonly answer: Answers[JobKind];
    /** The program of the job's model, if it has more steps than before. */
    readonly program: ModelProgram | null;
  }
  | {
    readonly id: number;
    readonly kind: "failed";
    readonly error: PassedError;
  }
  | { readonly id: number; readonly kind: "cancelled" }
  | QuestionsOfWorker
  /** Something that a person should know; belongs to no job. */
  | { readonly id: 0; readonly kind: "notice"; readonly text: string };

/** Questions for a model worker, all that are asked at a time. */
export interface QuestionsOfWorker {
  readonly id: 0;
  readonly kind: "questions";
  readonly questions: readonly QuestionOfWorker[];
}

/** A question, with a number of the training worker's own. */
export interface QuestionOfWorker {
  readonly id: number;
  readonly kind: QuestionKind;
  readonly question: Questions[QuestionKind];
}
