/** The flag `--slowdown`: which clients of a process are how much slower than their machine. */
import { InvalidArgumentError } from "commander";
import { UsageError } from "../core/errors.ts";

/** Clients that are slower. */
export interface SlowClients {
  /** As written, for messages. */
  readonly text: string;
  /** How many times as long their steps take; at least 1. */
  readonly factor: number;
  /** First and last number of each range of clients; null for all. */
  readonly ranges: readonly (readonly [first: number, last: number])[] | null;
}

/**
 * Reads `FACTOR` or `FACTOR:CLIENTS`, such as `4`, `4:17-20` or `2.5:1,3,8-9`, after those before.
 *
 * @throws {InvalidArgumentError}
 */
export function slowClients(text: string, before: readonly SlowClients[] = []): SlowClients[] {
  const [, factorText, clients] = /^(\d+(?:\.\d+)?)(?::(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*))?$/
    .exec(text) ?? [];
  const factor = Number(factorText);
  const ranges = clients?.split(",").map(rangeOf) ?? null;
  const isRight = factor >= 1 && Number.isFinite(factor) &&
    (ranges ?? []).every(([first, last]) => first >= 1 && first <= last);
  if (isRight) return [...before, { text, factor, ranges }];
  throw new InvalidArgumentError(
    "It must be a factor of at least 1, for all clients or for some by number: 4, 4:17-20 or " +
      "4:1,3,8-9.",
  );
}

/**
 * The factor of each client; of several that are given for one the last.
 *
 * @param numbers of the clients of this process
 * @param fallback for a client for which none is given
 * @throws {UsageError} one is given for a client that is not here
 */
export function slowdowns(
  numbers: readonly number[],
  given: readonly SlowClients[],
  fallback: number,
): number[] {
  const isHere = (n: number) => numbers.includes(n);
  for (const { text, ranges } of given) {
    const far = ranges?.flat().find((n) => !isHere(n));
    if (far === undefined) continue;
    throw new UsageError(
      `Cannot slow client ${far} down (--slowdown ${text}) as this process runs ` +
        `${numbers.length === 1 ? "client" : "clients"} ${namesOf(numbers)}: name one of those`,
    );
  }
  return numbers.map((n) => given.findLast((one) => concerns(one, n))?.factor ?? fallback);
}

function concerns({ ranges }: SlowClients, n: number): boolean {
  return ranges === null || ranges.some(([first, last]) => n >= first && n <= last);
}

function rangeOf(text: string): [number, number] {
  const [first, last = first] = text.split("-").map(Number);
  return [first!, last!];
}

/** Clients of a process have numbers one after another. */
function namesOf(numbers: readonly number[]): string {
  return numbers.length === 1 ? `${numbers[0]}` : `${numbers[0]} to ${numbers.at(-1)}`;
}
