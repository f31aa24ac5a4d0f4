/**
 * The worker in which the code of models runs: it has no permission at all, and no data. It builds
 * models and records their steps, which are trained elsewhere.
 */
import "./script_tfjs.ts";
import { chooseArithmetic } from "../arithmetic_choice.ts";
import { startNumbers } from "../backend.ts";
import { batchShape } from "../batch_shape.ts";
import { endsOf } from "../built_model.ts";
import { forbidCodeFromText } from "../closed_code.ts";
import { endLoopsBy } from "../endable_loops.ts";
import { forbidEnding } from "../guarded_globals.ts";
import { KeptModel } from "../kept_model.ts";
import { passed } from "../passed_error.ts";
import { record } from "../step/record.ts";
import { PRACTICE_MODEL, PRACTICE_STEP } from "./practice_model.ts";
import type {
  AnswerMessage,
  QuestionAnswers,
  QuestionKind,
  QuestionMessage,
  Questions,
} from "./protocol.ts";

type Answering<K extends QuestionKind> = (question: Questions[K]) => Promise<QuestionAnswers[K]>;

const ANSWERS: { readonly [K in QuestionKind]: Answering<K> } = {
  async practise() {
    const { settings, size } = PRACTICE_STEP;
    record(await model.of(PRACTICE_MODEL), settings, "train", batchShape(size));
    model.forget();
    return null;
  },
  async facts({ source, loss }) {
    const built = await model.of(source);
    const { description: { layout }, outputShape } = built;
    return { layout, outputShape, ends: endsOf(built, loss) };
  },
  async record({ source, settings, mode, size }) {
    return record(await model.of(source), settings, mode, batchShape(size));
  },
  async initialise({ source, seed }) {
    return await model.initialise(source, seed);
  },
  async explain({ batchSize, loss, optimizer, ...source }) {
    const { explainModel } = await import("../explain_model.ts");
    return explainModel(await model.of(source), { batchSize, loss, optimizer });
  },
};

const model = new KeptModel();
const scope = self as unknown as {
  postMessage(message: AnswerMessage, transfer?: Transferable[]): void;
  onmessage: (event: MessageEvent<QuestionMessage>) => void;
};
// Kept before any model's code runs, which may change what is global.
const post = scope.postMessage.bind(scope);

forbidEnding();
forbidCodeFromText("a model");
let last: Promise<void> = startNumbers();

scope.onmessage = ({ data }) => {
  last = last.then(() => reply(data));
};

async function reply<K extends QuestionKind>({ id, kind, question, ...rest }: QuestionMessage<K>) {
  try {
    chooseArithmetic(rest.arithmetic);
    endLoopsBy(rest.ended);
    const answer = await ANSWERS[kind](question);
    post({ id, answer }, answer !== null && "weights" in answer ? [answer.weights.buffer] : []);
  } catch (error) {
    model.forget();
    post({ id, error: passed(error) });
  }
}
