/** Changes to a configuration from the command line: `--set session_config.seed=7`. */
import { InvalidConfigError, type Problem, throwIfAny } from "./problems.ts";
import { type ConfigSource, isSection, keyOf, locationIn } from "./source.ts";
import { readYaml } from "./yaml.ts";

const FLAG = "--set";

/**
 * Sets keys, in order, so that the last of equal ones counts. Values are read as YAML, so that
 * `5`, `true`, `null` and `{a: 1}` mean what they mean in the file. Problems that validation finds
 * in these keys name the flag instead of the file.
 *
 * @param settings each `key.path=value`
 * @throws {InvalidConfigError} no `=`, an empty part of the path, a value that is not YAML, or a
 * path through something that is not a section
 */
export function applyOverrides(source: ConfigSource, settings: readonly string[]): ConfigSource {
  const problems: Problem[] = [];
  const paths: (readonly string[])[] = [];
  let value = source.value;
  for (const setting of settings) {
    try {
      const { path, replacement } = parseSetting(setting);
      value = withValue(value, path, 0, replacement);
      paths.push(path);
    } catch (error) {
      if (!(error instanceof InvalidConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  throwIfAny(problems);
  return {
    file: source.file,
    value,
    locate(path, part) {
      const set = paths.some((prefix) => prefix.every((key, i) => key === path[i]));
      return set ? locationIn(FLAG, path) : source.locate(path, part);
    },
  };
}

function parseSetting(setting: string): { path: readonly string[]; replacement: unknown } {
  const equals = setting.indexOf("=");
  const path = setting.slice(0, Math.max(0, equals)).trim().split(".");
  if (equals < 0 || path.includes("")) {
    throw new InvalidConfigError([{
      reason: `cannot be understood: write ${FLAG} section.key=value`,
      location: { file: FLAG, key: JSON.stringify(setting) },
    }]);
  }
  const { value } = readYaml(setting.slice(equals + 1), `${FLAG} ${keyOf(path)}`);
  return { path, replacement: value };
}

function withValue(
  container: unknown,
  path: readonly string[],
  depth: number,
  replacement: unknown,
): unknown {
  const key = path[depth];
  if (key === undefined) return replacement;
  if (!isSection(container ?? {})) {
    throw new InvalidConfigError([{
      reason: `cannot be set as ${keyOf(path.slice(0, depth)) || "the file"} is not a section`,
      location: locationIn(FLAG, path),
    }]);
  }
  const section = (container ?? {}) as Readonly<Record<string, unknown>>;
  const inner = Object.hasOwn(section, key) ? section[key] : undefined;
  return { ...section, [key]: withValue(inner, path, depth + 1, replacement) };
}
