/** What a model worker is asked, and its answers: plain data. */
import type { ArithmeticChoice } from "../arithmetic_choice.ts";
import type { ExplanationRequest, ModelExplanation } from "../explanation.ts";
import type { ModelEnds } from "../fit_check.ts";
import type { LearnerSettings } from "../learner.ts";
import type { PassedError } from "../passed_error.ts";
import type { Mode, ModelFacts, RecordedStep } from "../step/program.ts";
import type { EndFlag } from "../threads/barrier.ts";
import type { InitialModel, ModelSource } from "../trainer.ts";

/** Questions by kind. */
export interface Questions {
  /** Nothing: what builds and records models is tried, so that it does the next sooner. */
  readonly practise: null;
  /** What a training must know of a model before it has a step of it. */
  readonly facts: { readonly source: ModelSource; readonly loss: string };
  /** A step for batches of a size. */
  readonly record: {
    readonly source: ModelSource;
    readonly settings: LearnerSettings;
    readonly mode: Mode;
    readonly size: number;
  };
  /** Seeded initial weights. */
  readonly initialise: { readonly source: ModelSource; readonly seed: number };
  readonly explain: ExplanationRequest;
}

/** What each kind of question gives. */
export interface QuestionAnswers {
  readonly practise: null;
  readonly facts: BuiltFacts;
  readonly record: RecordedStep;
  readonly initialise: InitialModel;
  readonly explain: ModelExplanation;
}

/** What is known of a model once it is built. */
export interface BuiltFacts extends ModelFacts {
  readonly ends: ModelEnds;
}

/** A kind of question. */
export type QuestionKind = keyof Questions;

/** Asks a model worker. */
export type Ask = <K extends QuestionKind>(
  kind: K,
  question: Questions[K],
) => Promise<QuestionAnswers[K]>;

/** To the worker. */
export interface QuestionMessage<K extends QuestionKind = QuestionKind> {
  readonly id: number;
  readonly kind: K;
  readonly question: Questions[K];
  readonly arithmetic: ArithmeticChoice;
  /** Set when the worker is ended. */
  readonly ended: EndFlag;
}

/** From the worker. */
export type AnswerMessage =
  & { readonly id: number }
  & ({ readonly answer: QuestionAnswers[QuestionKind] } | { readonly error: PassedError });
