/** What is wrong with a configuration, all of it at once, so that it is corrected in one go. */
import { ConfigError, type FileLocation } from "../core/errors.ts";

/** One thing that is wrong. */
export interface Problem {
  /** Reads on after the key: `must be at least 1: got 0`. */
  readonly reason: string;
  readonly location: FileLocation;
}

/** More lines than this help nobody. */
const MAX_LINES = 20;

/** A configuration with one or more problems; the message has a line for each. */
export class InvalidConfigError extends ConfigError {
  /** At least one, in the order of the file. */
  readonly problems: readonly Problem[];

  constructor(problems: readonly [Problem, ...Problem[]]) {
    super(problems[0].reason, problems[0].location);
    this.problems = problems.toSorted(byPlace);
    const lines = this.problems.slice(0, MAX_LINES).map(lineOf);
    const more = this.problems.length - lines.length;
    this.message = [...lines, ...more > 0 ? [`and ${more} more problems`] : []].join("\n");
  }
}

/** @throws {InvalidConfigError} if there is any problem */
export function throwIfAny(problems: readonly Problem[]): void {
  if (hasAny(problems)) throw new InvalidConfigError(problems);
}

function hasAny(problems: readonly Problem[]): problems is readonly [Problem, ...Problem[]] {
  return problems.length > 0;
}

function lineOf({ reason, location }: Problem): string {
  return new ConfigError(reason, location).message;
}

function byPlace(a: Problem, b: Problem): number {
  const [x, y] = [a.location, b.location];
  return (x.line ?? 0) - (y.line ?? 0) || (x.column ?? 0) - (y.column ?? 0);
}
