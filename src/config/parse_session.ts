/**
 * A session config whose names of strategies, losses and optimizers are known to exist, and whose
 * strategies accept their arguments.
 */
import type { GenericSchema } from "valibot";
import { type Problem, throwIfAny } from "./problems.ts";
import { applyOverrides } from "./overrides.ts";
import { type SessionConfig, sessionConfigSchema } from "./session_config.ts";
import { type ConfigSource, isSection, type Path, sourceOf, valueAt } from "./source.ts";
import { isStrategyFile } from "./strategy_files.ts";
import { type BenchmarkChoice, goesBySpeed, wantsBenchmarks } from "./benchmark_section.ts";
import { trainerProblems, withBuiltInTrainer } from "./fedprox_trainer.ts";
import { suggestion } from "./suggestion.ts";
import { check } from "./validate.ts";
import { shown } from "./wording.ts";
import { readYaml } from "./yaml.ts";

/** Strategies by name, each with the schema of its arguments. */
export type Strategies = Readonly<Record<string, Strategy>>;

/** What a config has to do with a strategy. */
export interface Strategy {
  readonly args: GenericSchema;
  /** Whether it makes use of benchmarks. */
  readonly usesSpeed?: boolean;
}

/** The names that a session config may use. */
export interface SessionRegistries {
  readonly aggregators: Strategies;
  readonly selectors: Strategies;
  readonly losses: readonly string[];
  readonly optimizers: readonly string[];
}

/**
 * Reads and validates the YAML text of a session config.
 *
 * @param file how messages name the text
 * @param overrides settings `key.path=value` that win over the text
 * @throws {InvalidConfigError} lists every problem with file, line, column and key
 */
export function parseSessionConfig(
  text: string,
  file: string,
  registries: SessionRegistries,
  overrides: readonly string[] = [],
): SessionConfig {
  return validSession(applyOverrides(readYaml(text, file), overrides), registries);
}

/**
 * Validates a session config that is plain data already, such as a request's body.
 *
 * @param file how messages name it
 * @param overrides settings `key.path=value` that win over the data
 * @throws {InvalidConfigError} lists every problem with its key
 */
export function sessionConfigFrom(
  value: unknown,
  file: string,
  registries: SessionRegistries,
  overrides: readonly string[] = [],
): SessionConfig {
  return validSession(applyOverrides(sourceOf(value, file), overrides), registries);
}

function validSession(source: ConfigSource, registries: SessionRegistries): SessionConfig {
  const { output, problems } = check(sessionConfigSchema, source.value, source, []);
  const aggregation = strategy(source, output, "aggregator", registries.aggregators);
  const selection = strategy(source, output, "client_selection", registries.selectors);
  throwIfAny([
    ...problems,
    ...aggregation.problems,
    ...selection.problems,
    ...builtIn(source, output, "loss_function", registries.losses),
    ...builtIn(source, output, "optimizer", registries.optimizers),
    ...otherBenchmark(source, output, registries.selectors),
    ...trainerProblems(source, valueAt(output, ["model_config"])),
  ]);
  // Without problems the output has the schema's type.
  const config = withBuiltInTrainer(output as SessionConfig);
  return {
    ...config,
    session_config: {
      ...config.session_config,
      aggregator_args: aggregation.args,
      client_selection_args: selection.args,
    },
  };
}

type StrategyArgs = SessionConfig["session_config"]["aggregator_args"];

/** Checks a strategy's name and, if it is known, its arguments. */
function strategy(
  source: ConfigSource,
  output: unknown,
  key: "aggregator" | "client_selection",
  known: Strategies,
): { args: StrategyArgs; problems: readonly Problem[] } {
  const path = ["session_config", key];
  const name = valueAt(output, path);
  // Anything but text was reported by the schema.
  if (typeof name !== "string") return { args: {}, problems: [] };
  const argsPath = ["session_config", `${key}_args`];
  const args = valueAt(output, argsPath);
  // An argument without a value takes its default, as every key does.
  const given = isSection(args)
    ? Object.fromEntries(Object.entries(args).filter(([, value]) => value !== null))
    : null;
  // What a user's own strategy takes, only its code knows.
  if (isStrategyFile(name)) return { args: (given ?? {}) as StrategyArgs, problems: [] };
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (found === undefined) {
    const kind = key === "aggregator" ? "an aggregator" : "a client selection";
    return { args: {}, problems: [unknownName(source, path, name, kind, Object.keys(known))] };
  }
  if (given === null) return { args: {}, problems: [] };
  const checked = check(found.args, given, source, argsPath);
  return {
    args: checked.output as StrategyArgs,
    problems: checked.problems,
  };
}

/** Checks the name of a loss or an optimizer, and that it is not meant to come from Python. */
function builtIn(
  source: ConfigSource,
  output: unknown,
  key: "loss_function" | "optimizer",
  known: readonly string[],
): Problem[] {
  const path = ["client_training_config", key];
  const customPath = ["client_training_config", `${key}_custom`];
  if (valueAt(output, customPath) === false) {
    return [{
      reason:
        `must be true: false imports a Python module, which does not run here; write one of ` +
        `the built-in names in ${key}: ${known.join(", ")}`,
      location: source.locate(customPath, "value"),
    }];
  }
  const name = valueAt(output, path);
  if (typeof name !== "string" || known.includes(name)) return [];
  const kind = key === "optimizer" ? "an optimizer" : "a loss";
  return [unknownName(source, path, name, kind, known)];
}

/** Clients are measured with the model that they train: no other says how long they will take. */
function otherBenchmark(
  source: ConfigSource,
  output: unknown,
  selectors: Strategies,
): Problem[] {
  const path = ["benchmark_config", "model_id"];
  const [measured, trained, selection] = [
    path,
    ["client_training_config", "model_id"],
    ["session_config", "client_selection"],
  ].map((one) => valueAt(output, one));
  if (typeof measured !== "string" || typeof trained !== "string") return [];
  // A measured model is named, so the section is there.
  const isSpeedUsed = goesBySpeed(String(selection), selectors);
  const isMeasured = wantsBenchmarks(output as BenchmarkChoice, isSpeedUsed);
  if (!isMeasured || measured === trained) return [];
  return [{
    reason: `must be ${shown(trained)}, the model_id of client_training_config, or left out: ` +
      "clients are measured with the model that they train",
    location: source.locate(path, "value"),
  }];
}

function unknownName(
  source: ConfigSource,
  path: Path,
  name: string,
  kind: string,
  known: readonly string[],
): Problem {
  return {
    reason: `${shown(name)} is not ${kind}${suggestion(name, known)}`,
    location: source.locate(path, "value"),
  };
}
