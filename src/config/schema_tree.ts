/** Reading a schema as data: which keys it has, and what they are for. */
import { type GenericSchema, getDescription } from "valibot";
import type { Path } from "./source.ts";

/** What the library's object, nullable and union schemas hold at run time. */
interface SchemaParts {
  readonly type: string;
  readonly entries?: Readonly<Record<string, GenericSchema>>;
  readonly wrapped?: GenericSchema;
  /** Schemas in a union, texts in a picklist. */
  readonly options?: readonly unknown[];
}

/** The keys of a section with their schemas; null if the schema is not one of a section. */
export function keysOf(
  schema: GenericSchema | undefined,
): Readonly<Record<string, GenericSchema>> | null {
  const parts = schema as SchemaParts | undefined;
  if (parts?.entries !== undefined) return parts.entries;
  if (parts?.wrapped !== undefined) return keysOf(parts.wrapped);
  if (parts?.type !== "union") return null;
  for (const option of (parts.options ?? []) as readonly GenericSchema[]) {
    const keys = keysOf(option);
    if (keys !== null) return keys;
  }
  return null;
}

/** The schema of a key further down; undefined where there is none. */
export function schemaAt(schema: GenericSchema, path: Path): GenericSchema | undefined {
  let current: GenericSchema | undefined = schema;
  for (const step of path) current = keysOf(current)?.[step];
  return current;
}

/** Whether a key must be written. */
export function isRequired(schema: GenericSchema): boolean {
  return !["optional", "exact_optional", "nullish"].includes(schema.type);
}

/** Every key and section of a schema, by path. */
export function allPaths(schema: GenericSchema, above: readonly string[] = []): string[][] {
  return Object.entries(keysOf(schema) ?? {}).flatMap(([key, inner]) => {
    const path = [...above, key];
    return [path, ...allPaths(inner, path)];
  });
}

/** What to write for a missing key: `write the number of rounds`. */
export function instruction(schema: GenericSchema | undefined): string {
  const description = schema === undefined ? undefined : getDescription(schema);
  if (description === undefined) return "it has no default";
  // "IDX file" keeps its capitals.
  const start = /^[A-Z][a-z]/.test(description) ? description[0]!.toLowerCase() : description[0];
  return `write the ${start}${description.slice(1)}`;
}
