/** Runs a model worker: starts it when something is asked, and ends it when told to. */
import { FlotillaError } from "../../core/errors.ts";
import type { ArithmeticChoice } from "../arithmetic_choice.ts";
import { modelKey } from "../model_key.ts";
import { errorOf } from "../passed_error.ts";
import { plainSource } from "../plain_source.ts";
import type { EndFlag } from "../threads/barrier.ts";
import type { ModelSource } from "../trainer.ts";
import type {
  AnswerMessage,
  QuestionAnswers,
  QuestionKind,
  QuestionMessage,
  Questions,
} from "./protocol.ts";

interface RunningWorker {
  readonly worker: Worker;
  /** Set when it has ended. */
  readonly ended: EndFlag;
}

interface Pending {
  readonly resolve: (answer: QuestionAnswers[QuestionKind]) => void;
  readonly reject: (reason: unknown) => void;
}

/** One worker after another, each with nothing that it may read or reach. */
export class ModelWorker {
  readonly #arithmetic: ArithmeticChoice;
  #running: RunningWorker | null = null;
  readonly #pending = new Map<number, Pending>();
  /** Answers that nobody has asked for yet, by question. */
  readonly #expected = new Map<string, Promise<QuestionAnswers[QuestionKind]>>();
  #lastId = 0;
  /** Questions are sent in the order in which they are asked. */
  #last: Promise<void> = Promise.resolve();

  constructor(arithmetic: ArithmeticChoice) {
    this.#arithmetic = arithmetic;
  }

  /** Nothing is asked, nor expected to be. */
  get isIdle(): boolean {
    return this.#pending.size === 0 && this.#expected.size === 0;
  }

  /** Asks what will most likely be asked soon. */
  expect<K extends QuestionKind>(kind: K, question: Questions[K]): void {
    const key = keyOf(kind, question);
    const answer = this.#expected.get(key) ?? this.#send(kind, question);
    answer.catch(() => {}); // whoever asks is told
    this.#expected.set(key, answer);
  }

  /** Gives up what nobody has asked for. */
  expectNothing(): void {
    this.#expected.clear();
  }

  /**
   * Asks the worker, which may be building for another question.
   *
   * @throws what the answering threw, or the reason why the worker was ended
   */
  ask<K extends QuestionKind>(kind: K, question: Questions[K]): Promise<QuestionAnswers[K]> {
    const key = keyOf(kind, question);
    const expected = this.#expected.get(key);
    this.#expected.delete(key);
    // The key has the kind, which says what the answer is.
    return expected as Promise<QuestionAnswers[K]> | undefined ?? this.#send(kind, question);
  }

  /** Starts the worker, which loads what builds models. */
  start(): void {
    this.#worker();
  }

  /** Has the worker try what builds and records models, while it has nothing else to do. */
  practise(): void {
    this.#send("practise", null).catch(() => {}); // it was ended: the next one does without
  }

  /** Ends the worker; the next question starts another one. */
  end(reason: unknown): void {
    if (this.#running !== null) {
      this.#running.worker.terminate();
      Atomics.store(this.#running.ended, 0, 1);
    }
    this.#running = null;
    this.#expected.clear();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of pending) reject(reason);
  }

  #send<K extends QuestionKind>(kind: K, question: Questions[K]): Promise<QuestionAnswers[K]> {
    const { worker, ended } = this.#worker();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as Pending["resolve"], reject });
      this.#last = this.#last.then(async () => {
        try {
          const message: QuestionMessage<K> = {
            ...{ id, kind, question: await plain(question), ended },
            arithmetic: this.#arithmetic,
          };
          // Of a worker that was ended all questions are answered.
          worker.postMessage(message);
        } catch (error) {
          this.#pending.delete(id);
          reject(error);
        }
      });
    });
  }

  #worker(): RunningWorker {
    if (this.#running !== null) return this.#running;
    const worker = new Worker(new URL("./worker.ts", import.meta.url).href, {
      type: "module",
      name: "model",
      deno: { permissions: "none" },
    });
    const running = { worker, ended: new Int32Array(new SharedArrayBuffer(4)) };
    const endBy = (reason: string) => {
      if (this.#running === running) this.end(new FlotillaError(reason));
    };
    worker.onmessage = ({ data }: MessageEvent<AnswerMessage>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      endBy(`Model worker failed: ${event.message}`);
    };
    worker.onmessageerror = () => endBy("Model worker sent a message that cannot be read");
    this.#running = running;
    return running;
  }

  #receive(message: AnswerMessage): void {
    const pending = this.#pending.get(message.id);
    this.#pending.delete(message.id);
    if ("error" in message) pending?.reject(errorOf(message.error));
    else pending?.resolve(message.answer);
  }
}

/** A question whose model is plain JavaScript. */
async function plain<Q extends Questions[QuestionKind]>(question: Q): Promise<Q> {
  if (question === null) return question;
  if ("source" in question) return { ...question, source: await plainSource(question.source) };
  // An explanation's question is a source itself.
  return await plainSource(question as Q & ModelSource);
}

/** The same for the same question, where it is one about a source. */
function keyOf<K extends QuestionKind>(kind: K, question: Questions[K]): string {
  if (question === null || !("source" in question)) return kind;
  const { source, ...rest } = question;
  return JSON.stringify([kind, modelKey(source), rest]);
}
