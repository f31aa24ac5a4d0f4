/** The worker in which a user's strategy runs, without files, network or environment. */
import type { Aggregator } from "../aggregation/aggregator.ts";
import { messageOf } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { seeded } from "../core/prng.ts";
import type { EventualSelector } from "../selection/selector.ts";
import { firstImport, forbidCodeFromText } from "../training/closed_code.ts";
import { endableLoops, endLoopsBy } from "../training/endable_loops.ts";
import { stripTypes } from "../training/strip_types.ts";
import type { Answers, CallName, Calls, FromStrategy, ToStrategy } from "./protocol.ts";

type Own = Partial<
  & Pick<EventualSelector<JsonObject, JsonObject>, "initial" | "select" | "refill" | "validate">
  & Pick<Aggregator<JsonObject, JsonObject>, "ready">
  & {
    aggregate(
      ...given: Parameters<Aggregator<JsonObject, JsonObject>["aggregate"]>
    ): unknown;
  }
>;

type Handler<K extends CallName> = (given: Calls[K]) => Answers[K] | Promise<Answers[K]>;

let own: Own = {};

const HANDLERS: { readonly [K in CallName]: Handler<K> } = {
  async load({ file, code, ended }) {
    const plain = file.endsWith(".ts") ? await stripTypes(code, file) : code;
    const statement = await firstImport(plain);
    if (statement !== null) {
      throw new TypeError(`a strategy may import nothing but types: ${statement}`);
    }
    forbidCodeFromText("a strategy");
    endLoopsBy(ended);
    const text = encodeURIComponent(await endableLoops(plain));
    // A data: URL works in a compiled executable too, where outside modules cannot be transpiled.
    const module = await import(`data:text/javascript,${text}`);
    own = { ...module };
    return Object.keys(own).filter((name) => typeof own[name as keyof Own] === "function");
  },
  initial: ({ args }) => own.initial!(args) as JsonObject,
  select: ({ view, state, args, seed }) => own.select!(view, state, args, seeded(seed)),
  refill: ({ view, state, args, seed }) => own.refill!(view, state, args, seeded(seed)),
  validate: ({ view, state, args }) => own.validate!(view, state, args),
  ready: ({ standing, args }) => own.ready!(standing, args),
  async aggregate({ layout, global, args, ...input }) {
    const result = new Float32Array(global.length);
    const answer = await own.aggregate!(
      {
        ...input,
        global: { layout, values: global as Float32Array<ArrayBuffer> },
        read: (update, start, end) => ask({ kind: "read", of: update, start, end }),
        readKept: (name, start, end) => ask({ kind: "read", of: name, start, end }),
        async keep(name, values) {
          await ask({ kind: "keep", name, values });
        },
      },
      args,
      result,
    );
    if (isNumbers(answer)) return { state: input.state, values: Float32Array.from(answer) };
    return { state: (answer ?? input.state) as JsonObject, values: result };
  },
};

function isNumbers(value: unknown): value is ArrayLike<number> {
  return ArrayBuffer.isView(value) || Array.isArray(value);
}

/** Questions that the leader has not answered yet. */
const questions = new Map<number, (values: Float32Array) => void>();
let asked = 0;

type Question = FromStrategy extends infer M
  ? M extends { kind: "read" | "keep"; id: number } ? Omit<M, "id"> : never
  : never;

function ask(question: Question): Promise<Float32Array> {
  const id = ++asked;
  post({ ...question, id } as FromStrategy);
  return new Promise((resolve) => questions.set(id, resolve));
}

const scope = self as unknown as {
  postMessage(message: FromStrategy): void;
  onmessage: (event: MessageEvent<ToStrategy>) => void;
};
// Kept before any code of a user runs, which may change what is global.
const post = scope.postMessage.bind(scope);

scope.onmessage = async ({ data }) => {
  if (data.kind === "answer") {
    questions.get(data.id)?.(data.values ?? new Float32Array());
    questions.delete(data.id);
    return;
  }
  const { id, name, given } = data;
  try {
    const handler = HANDLERS[name] as Handler<CallName>;
    post({ kind: "done", id, answer: await handler(given as never) });
  } catch (error) {
    // Module errors quote the whole text as a URL.
    const reason = messageOf(error).replaceAll(/data:text\/javascript,\S*/g, "the file");
    post({ kind: "failed", id, reason: reason.slice(0, 500) });
  }
};
