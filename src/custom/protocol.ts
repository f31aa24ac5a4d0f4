/** The messages between a leader and the worker in which a user's strategy runs: plain data. */
import type { RoundStanding, Update } from "../aggregation/aggregator.ts";
import type { JsonObject } from "../core/json.ts";
import type { Layout } from "../core/weights.ts";
import type { Selection, SelectionView } from "../selection/selector.ts";

/** What the strategy is asked, by name. */
export interface Calls {
  /** @returns names of the functions that it exports */
  readonly load: {
    readonly file: string;
    readonly code: string;
    /** Not 0 once the code shall end. */
    readonly ended: Int32Array<SharedArrayBuffer>;
  };
  readonly initial: { readonly args: JsonObject };
  readonly select: SelectionCall;
  readonly refill: SelectionCall;
  readonly validate: Omit<SelectionCall, "seed">;
  readonly ready: { readonly standing: RoundStanding; readonly args: JsonObject };
  readonly aggregate: AggregationCall;
}

/** What it answers. */
export interface Answers {
  readonly load: readonly string[];
  readonly initial: JsonObject;
  readonly select: Selection<JsonObject>;
  readonly refill: Selection<JsonObject>;
  readonly validate: readonly string[];
  readonly ready: readonly Update[] | null;
  readonly aggregate: { readonly state: JsonObject; readonly values: Float32Array };
}

export type CallName = keyof Calls;

interface SelectionCall {
  readonly view: SelectionView;
  readonly state: JsonObject;
  readonly args: JsonObject;
  /** Seed of the generator that it is given. */
  readonly seed: number;
}

interface AggregationCall {
  readonly layout: Layout;
  readonly global: Float32Array;
  readonly round: number;
  readonly updates: readonly Update[];
  readonly state: JsonObject;
  readonly kept: readonly string[];
  readonly args: JsonObject;
}

/** To the worker. */
export type ToStrategy =
  | {
    readonly kind: "call";
    readonly id: number;
    readonly name: CallName;
    readonly given: Calls[CallName];
  }
  | { readonly kind: "answer"; readonly id: number; readonly values: Float32Array | null };

/** From the worker: the end of a call, or a question about weights while one goes on. */
export type FromStrategy =
  | { readonly kind: "done"; readonly id: number; readonly answer: Answers[CallName] }
  | { readonly kind: "failed"; readonly id: number; readonly reason: string }
  | {
    readonly kind: "read";
    readonly id: number;
    readonly of: Update | string;
    readonly start: number;
    readonly end: number;
  }
  | {
    readonly kind: "keep";
    readonly id: number;
    readonly name: string;
    readonly values: Float32Array;
  };
