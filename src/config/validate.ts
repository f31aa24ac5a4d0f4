/** Checks a configuration against its schema and says everything that is wrong, and where. */
import * as v from "valibot";
import { type Problem, throwIfAny } from "./problems.ts";
import { allPaths, instruction, isRequired, keysOf, schemaAt } from "./schema_tree.ts";
import { type ConfigSource, isSection, keyOf, type Path } from "./source.ts";
import { nearest } from "./suggestion.ts";
import { reasonFor, shown } from "./wording.ts";

/** A value that was checked. */
export interface Checked {
  /** With defaults filled in; of the schema's output type only if there are no problems. */
  readonly output: unknown;
  readonly problems: readonly Problem[];
}

/** A problem before its place is known. */
interface Finding {
  readonly path: Path;
  readonly reason: string;
  /** Whether the key itself is wrong, or its value. */
  readonly part: "key" | "value";
}

/**
 * Validates a configuration.
 *
 * @throws {InvalidConfigError} lists every problem with its place
 */
export function validate<Schema extends v.GenericSchema>(
  schema: Schema,
  source: ConfigSource,
): v.InferOutput<Schema> {
  const { output, problems } = check(schema, source.value, source, []);
  throwIfAny(problems);
  return output as v.InferOutput<Schema>;
}

/**
 * Checks the part of a configuration that stands at a path, without throwing.
 *
 * @param value the part, which may differ from what the source holds there
 */
export function check(
  schema: v.GenericSchema,
  value: unknown,
  source: ConfigSource,
  at: Path,
): Checked {
  // An empty file is one in which every key is absent.
  const given = value ?? {};
  const misfits = structureFindings(allPaths(schema), schema, given, []);
  const result = v.safeParse(schema, given, { abortPipeEarly: true });
  const refused = (result.issues ?? [])
    .flatMap((issue) => valueFindings(schema, issue, []))
    // The structure was reported already, and better: the library names one unknown key only.
    .filter(({ path }) => !misfits.some((misfit) => startsWith(path, misfit.path)));
  const problems = [...misfits, ...refused].map(({ path, reason, part }) => ({
    reason,
    location: source.locate([...at, ...path], part),
  }));
  return { output: result.output, problems };
}

/** Unknown keys, and lists where sections belong; `every` has all paths of the whole schema. */
function structureFindings(
  every: readonly Path[],
  schema: v.GenericSchema,
  value: unknown,
  path: Path,
): Finding[] {
  const keys = keysOf(schema);
  if (keys === null || typeof value !== "object" || value === null) return [];
  if (!isSection(value)) {
    // A union may allow a list beside the section.
    if (v.is(schema, value) || schema.type === "union") return [];
    return [{ path, reason: `must be a section of keys: got ${shown(value)}`, part: "value" }];
  }
  return Object.entries(value).flatMap(([key, inner]) => {
    const here = [...path, key];
    return Object.hasOwn(keys, key)
      ? structureFindings(every, keys[key]!, inner, here)
      : [{ path: here, reason: unknownKey(every, key, Object.keys(keys)), part: "key" as const }];
  });
}

function unknownKey(every: readonly Path[], key: string, known: readonly string[]): string {
  const elsewhere = every.filter((path) => path.at(-1) === key).map(keyOf);
  const near = nearest(key, known);
  const meant = elsewhere.length > 0 || near === null ? elsewhere : [near];
  if (meant.length > 0) {
    return `is not a known key; did you mean ${meant.map((name) => `"${name}"`).join(" or ")}?`;
  }
  if (known.length === 0) return "is not a known key: none is allowed here";
  return `is not a known key. Known: ${known.join(", ")}`;
}

function valueFindings(root: v.GenericSchema, issue: v.BaseIssue<unknown>, above: Path): Finding[] {
  const path = [...above, ...(issue.path ?? []).map(({ key }) => key as string | number)];
  // Of several choices the one of the value's kind is meant: say what is wrong in it.
  const kind = isSection(issue.input) ? "object" : "array";
  const inside = (issue.issues ?? []).filter(({ path }) => path?.[0].type === kind);
  if (issue.type === "union" && inside.length > 0) {
    return inside.flatMap((nested) => valueFindings(root, nested, path));
  }
  const absent = issue.input === undefined || issue.input === null;
  if (absent && typeof path.at(-1) === "string") return missing(root, path);
  return [{ path, reason: reasonFor(issue), part: "value" }];
}

/** A missing key, or, for a missing section, the keys that must be written in it. */
function missing(root: v.GenericSchema, path: Path): Finding[] {
  const schema = schemaAt(root, path);
  const keys = schema?.type === "union" ? null : keysOf(schema);
  const inside = Object.entries(keys ?? {})
    .filter(([, inner]) => isRequired(inner))
    .flatMap(([key]) => missing(root, [...path, key]));
  if (inside.length > 0) return inside;
  return [{ path, reason: `is missing: ${instruction(schema)}`, part: "value" }];
}

function startsWith(path: Path, prefix: Path): boolean {
  return prefix.every((part, i) => part === path[i]);
}
