/**
 * Names of layers and weights that every process agrees on. tfjs numbers the layers it names by a
 * counter of the process (`dense_Dense7`); here they count by position in the model (`dense_1`).
 */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import type { Json, JsonObject } from "../core/json.ts";
import { ModelError } from "../core/errors.ts";
import { type Layout, layoutOf } from "../core/weights.ts";

/** A model's description with stable names. */
export interface ModelDescription {
  /** Topology as tfjs saves it. */
  readonly topology: JsonObject;
  /** Tensors in the order of `model.getWeights()`. */
  readonly layout: Layout;
  /** The stable name of a layer. */
  nameOf(layer: { readonly name: string }): string;
}

/**
 * Describes a model.
 *
 * @throws {ModelError} two weights have one name
 */
export function describeModel(model: LayersModel): ModelDescription {
  const topology = model.toJSON(null, false) as unknown as JsonObject;
  const names = stableNames(topology);
  const nameOf = (layer: { readonly name: string }) => names.get(layer.name) ?? layer.name;
  const layout = layoutOf(model.weights.map(({ originalName, shape }) => {
    return { name: weightName(originalName, names), shape: shape as number[] };
  }));
  const seen = new Set<string>();
  for (const { name } of layout) {
    if (seen.has(name)) {
      throw new ModelError(
        `Cannot use a model with two weights named "${name}": give its layers different names`,
      );
    }
    seen.add(name);
  }
  return {
    get topology() {
      return renamed(topology, names) as JsonObject;
    },
    ...{ layout, nameOf },
  };
}

/** New names by old ones, for all layers that the user left unnamed, in order of appearance. */
function stableNames(topology: JsonObject): Map<string, string> {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  const taken = new Set<string>();
  const unnamed: { name: string; prefix: string }[] = [];
  for (const { name, kind } of namedParts(topology)) {
    const prefix = automaticPrefix(name, kind);
    if (prefix === null) taken.add(name);
    else unnamed.push({ name, prefix });
  }
  for (const { name, prefix } of unnamed) {
    if (names.has(name)) continue;
    let count = counts.get(prefix) ?? 0;
    do count += 1; while (taken.has(`${prefix}_${count}`));
    counts.set(prefix, count);
    names.set(name, `${prefix}_${count}`);
  }
  return names;
}

/** All layers and models in a topology, outer ones first. */
function* namedParts(value: Json | undefined): Generator<{ name: string; kind: string }> {
  if (Array.isArray(value)) {
    for (const part of value) yield* namedParts(part);
  } else if (value !== null && typeof value === "object") {
    const { class_name: kind, config } = value as JsonObject;
    const name = (config as JsonObject | null | undefined)?.["name"];
    if (typeof kind === "string" && typeof name === "string") yield { name, kind };
    for (const part of Object.values(value)) yield* namedParts(part as Json);
  }
}

/** `dense` for `dense_Dense7` of class Dense; null for a name that the user gave. */
function automaticPrefix(name: string, kind: string): string | null {
  const stem = name.replace(/\d+$/, "");
  if (stem === name) return null;
  const snake = snakeCase(kind);
  if (stem === `${snake}_${kind}`) return snake;
  if (kind === "InputLayer" && stem === "input") return "input";
  if (kind === "Sequential" && stem === "sequential_") return "sequential";
  return kind === "Model" && stem === "model" ? "model" : null;
}

/** As tfjs makes a layer's name from its class. */
function snakeCase(kind: string): string {
  return kind.replace(/(.)([A-Z][a-z0-9]+)/g, "$1_$2").replace(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase();
}

/** The name of a weight, `<layer>/<weight>` or deeper; wrappers put a direction before a name. */
function weightName(original: string, names: ReadonlyMap<string, string>): string {
  return original.split("/").map((part) => {
    const [, direction = "", name = part] = /^(forward_|backward_)(.*)$/.exec(part) ?? [];
    return names.has(name) ? direction + names.get(name) : part;
  }).join("/");
}

function renamed(value: Json, names: ReadonlyMap<string, string>): Json {
  if (typeof value === "string") return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((part) => renamed(part, names));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, renamed(part as Json, names)]),
  );
}
