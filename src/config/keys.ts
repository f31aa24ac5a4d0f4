/**
 * The kinds of values that configuration keys hold, and how a key gets its default and its
 * description. A key that is absent, empty or `None` takes its default.
 */
import * as v from "valibot";
import type { Json, JsonObject } from "../core/json.ts";

/** `true` or `false`. */
export const flag = v.boolean();
/** Text of at least one character. */
export const text = v.pipe(v.string(), v.nonEmpty());
/** A finite number of seconds above 0. */
export const seconds = v.pipe(v.number(), v.finite(), v.gtValue(0));
/** A finite number of seconds that may be 0. */
export const secondsOrZero = v.pipe(v.number(), v.finite(), v.minValue(0));
/** A TCP port; 0 stands for any free one. */
export const port = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(65_535));
/** An unsigned 32-bit number. */
export const uint32 = v.pipe(
  v.number(),
  v.safeInteger(),
  v.minValue(0),
  v.maxValue(0xffff_ffff),
);
/** Free-form arguments: an object of JSON values. */
export const args = v.custom<JsonObject>(isJsonObject, "must be a section of JSON values");
/** A list of tags or names. */
export const names = v.array(text);
/** The name of one folder, not a path. */
export const folderName = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(100),
  v.check(
    isFolderName,
    'must be a plain folder name, without "/", "\\", ".." or control characters',
  ),
);
/** A model's name: the name of its folder, safe in paths of every system. */
export const modelId = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.maxLength(100),
  v.check(isModelId, 'must be letters, digits, "_", "-" and "." only'),
);

/** The name of a class, which the original's files have beside a model's name. */
export const modelClass = withoutEffect(
  orNull(text, "Name of a Python class, in the original"),
  "here: model_id names the model",
);

/** An MQTT topic to publish to. */
export const topic = v.pipe(
  v.string(),
  v.nonEmpty(),
  v.regex(/^[^#+\0]*$/, 'must be a topic without "#" and "+"'),
);

/** A whole number of at least `least`. */
export function wholeNumber(least: number) {
  return v.pipe(v.number(), v.safeInteger(), v.minValue(least));
}

/** A key that must be written. */
export function required<const S extends v.GenericSchema>(schema: S, description: string) {
  return v.pipe(schema, v.description(description));
}

/** A key with a default. */
export function withDefault<
  const S extends v.GenericSchema,
  const D extends v.InferInput<S>,
>(schema: S, fallback: D, description: string) {
  return v.pipe(v.nullish(schema, fallback), v.description(description));
}

/** A key that is null unless it is written. */
export function orNull<const S extends v.GenericSchema>(schema: S, description: string) {
  return v.pipe(v.nullish(schema, null), v.description(description));
}

/** A key with a default, and of which a written null means "none". */
export function withDefaultOrNull<
  const S extends v.GenericSchema,
  const D extends v.InferInput<S>,
>(schema: S, fallback: D, description: string) {
  return v.pipe(v.optional(v.nullable(schema), fallback), v.description(description));
}

/**
 * A key that is accepted, as the original has it, and changes nothing; who writes another value than
 * its default is told so.
 *
 * @param reason reads on after "has no effect"
 */
export function withoutEffect<const S extends v.GenericSchema>(schema: S, reason: string) {
  return v.pipe(schema, v.metadata({ withoutEffect: reason }));
}

/** A section in which every key has a default, so that it may be left out. */
export function section<const E extends v.ObjectEntries>(entries: E, description: string) {
  // That all keys have defaults is what makes {} an input; TypeScript cannot see it here.
  const empty = {} as v.InferInput<v.StrictObjectSchema<E, undefined>>;
  return v.pipe(v.nullish(v.strictObject(entries), () => empty), v.description(description));
}

/** A section with a key that must be written. */
export function requiredSection<const E extends v.ObjectEntries>(entries: E, description: string) {
  return v.pipe(v.strictObject(entries), v.description(description));
}

function isFolderName(name: string): boolean {
  // deno-lint-ignore no-control-regex -- control characters are what must not get through
  return !/[/\\\u0000-\u001f\u007f]/.test(name) && !/^\.+$/.test(name) && name.trim() === name;
}

function isModelId(id: string): boolean {
  return /^[\w.-]+$/.test(id) && !/^\.+$/.test(id);
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && isJson(value);
}

function isJson(value: unknown): value is Json {
  if (typeof value === "number") return Number.isFinite(value);
  if (value === null || typeof value === "boolean" || typeof value === "string") return true;
  if (Array.isArray(value)) return value.every(isJson);
  if (typeof value !== "object") return false;
  // An own key of this name would become the prototype of a naive copy.
  return !Object.hasOwn(value, "__proto__") && Object.values(value).every(isJson);
}
