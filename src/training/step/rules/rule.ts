/** What a rule is: how one kernel of tfjs becomes values of the graph. */
import type { GraphBuilder } from "../graph.ts";
import { NotRecordable } from "../not_recordable.ts";
import type { Symbolic } from "../symbol.ts";

/** A symbolic tensor with the type that tfjs gives it. */
export interface TypedSymbol extends Symbolic {
  readonly dtype: string;
}

/** A call of a kernel. */
export interface KernelCall {
  readonly name: string;
  readonly graph: GraphBuilder;
  /** Size of the batch. */
  readonly samples: number;
  /** @throws {NotRecordable} there is no such input */
  input(name: string): TypedSymbol;
  has(name: string): boolean;
  /** Inputs of a kernel that takes a list. */
  inputs(): TypedSymbol[];
  /** Attributes as tfjs passes them. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** The result's type is float32 unless it says otherwise. */
export type RuleResult = Symbolic & { readonly dtype?: string };

/** Records a call. Throws {@link NotRecordable} for a variant it does not know. */
export type Rule = (call: KernelCall) => RuleResult | RuleResult[];

export type Rules = Readonly<Record<string, Rule>>;

/** The axis numbers of an attribute: all, one or several, negative ones from the end. */
export function axesOf(attribute: unknown, rank: number): number[] {
  const given = attribute === null || attribute === undefined
    ? Array.from({ length: rank }, (_, axis) => axis)
    : [attribute].flat() as number[];
  return given.map((axis) => axis < 0 ? axis + rank : axis).sort((a, b) => a - b);
}

/** @throws {NotRecordable} always */
export function refuse(call: KernelCall, what: string): never {
  throw new NotRecordable(`kernel ${call.name} ${what}`);
}
