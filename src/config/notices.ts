/** What a valid configuration says in vain: keys that change nothing, as people should know. */
import * as v from "valibot";
import { ConfigError, type FileLocation } from "../core/errors.ts";
import { goesBySpeed, wantsBenchmarks } from "./benchmark_section.ts";
import { applyOverrides } from "./overrides.ts";
import type { SessionRegistries } from "./parse_session.ts";
import { type SessionConfig, sessionConfigSchema } from "./session_config.ts";
import { keysOf, schemaAt } from "./schema_tree.ts";
import { type ConfigSource, isSection, type Path, sourceOf, valueAt } from "./source.ts";
import { readYaml } from "./yaml.ts";

/** A key that has no effect, as written in a file. */
export interface Notice {
  readonly location: FileLocation;
  /** Reads on after the key. */
  readonly reason: string;
}

/** The line for people: `config.yaml:12:3 client_training_config.model_class has no effect here: ...`. */
export function noticeLine({ reason, location }: Notice): string {
  return new ConfigError(reason, location).message;
}

/** Notices of a valid file. @param text YAML */
export function noticesOf(schema: v.GenericSchema, text: string, file: string): Notice[] {
  const source = readYaml(text, file);
  return withoutEffect(schema, source, source.value, []);
}

/**
 * Notices of a valid session config.
 *
 * @param text YAML
 * @param overrides settings `key.path=value` that win over the text
 */
export function sessionNotices(
  text: string,
  file: string,
  registries: Pick<SessionRegistries, "selectors">,
  overrides: readonly string[] = [],
): Notice[] {
  return noticesIn(applyOverrides(readYaml(text, file), overrides), registries);
}

/** Notices of a valid session config that is plain data already. @param file how lines name it */
export function sessionNoticesFrom(
  value: unknown,
  file: string,
  registries: Pick<SessionRegistries, "selectors">,
): Notice[] {
  return noticesIn(sourceOf(value, file), registries);
}

function noticesIn(
  source: ConfigSource,
  registries: Pick<SessionRegistries, "selectors">,
): Notice[] {
  const config = v.parse(sessionConfigSchema, source.value);
  const { benchmark_config: _, ...others } = source.value as Record<string, unknown>;
  const found = [
    ...withoutEffect(sessionConfigSchema, source, others, []),
    ...benchmarkNotices(source, config, registries),
  ];
  for (const part of ["dataloader", "trainer", "validator"] as const) {
    const args = `custom_${part === "dataloader" ? "loader" : part}_args` as const;
    const flag = `use_custom_${part}` as const;
    const isInVain = Object.keys(config.model_config[args]).length > 0 &&
      !config.model_config[flag];
    if (isInVain) found.push(notice(source, ["model_config", args], `without ${flag}`));
  }
  return found;
}

function benchmarkNotices(
  source: ConfigSource,
  config: SessionConfig,
  { selectors }: Pick<SessionRegistries, "selectors">,
): Notice[] {
  const { benchmark_config: bench, session_config: { client_selection: name } } = config;
  const path = ["benchmark_config"] as const;
  const usesSpeed = goesBySpeed(name, selectors);
  if (!wantsBenchmarks(config, usesSpeed)) {
    const isEmpty = Object.values(bench).every((value) => value === null);
    if (isEmpty || bench.skip_benchmark !== null) return [];
    const reason = usesSpeed
      ? "without timeout_duration_s or bench_minibatch_count, or skip_benchmark: false"
      : `as the client selection ${name} does not ask how fast clients are: ` +
        "skip_benchmark: false measures them all the same";
    return [notice(source, path, reason)];
  }
  const schema = schemaAt(sessionConfigSchema, path)!;
  const found = withoutEffect(schema, source, valueAt(source.value, path), path);
  const { model_dir: folder } = config.server_training_config;
  if (bench.model_dir !== null && bench.model_dir !== folder) {
    const reason = "here: clients are measured with the package of server_training_config";
    found.push(notice(source, [...path, "model_dir"], reason));
  }
  return found;
}

function notice(source: ConfigSource, path: Path, reason: string): Notice {
  return { reason: `has no effect ${reason}`, location: source.locate(path, "key") };
}

/** The keys below a path that the schema marks and that hold another value than their default. */
function withoutEffect(
  schema: v.GenericSchema,
  source: ConfigSource,
  value: unknown,
  path: Path,
): Notice[] {
  const { withoutEffect: reason } = v.getMetadata(schema);
  if (typeof reason === "string") {
    if (value === null || value === v.getDefault(schema)) return [];
    return [notice(source, path, reason)];
  }
  const keys = keysOf(schema);
  if (keys === null || !isSection(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    Object.hasOwn(keys, key) ? withoutEffect(keys[key]!, source, inner, [...path, key]) : []
  );
}
