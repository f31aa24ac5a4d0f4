/** The last words about a run: how well it went and where its results are, or why it failed. */
import { byName, type ClientRef } from "../core/ids.ts";
import { lastFinished, roundsOver, type SessionState } from "../session/state.ts";
import type { Colours } from "./colours.ts";
import { printable } from "./printable.ts";
import { lossText, percentText, secondsText } from "./quantities.ts";

/**
 * Lines for the end of a run that has finished.
 *
 * @param results where they are on the server's machine; null if it does not say
 */
export function summaryLines(
  state: SessionState,
  results: string | null,
  colours: Colours,
): string[] {
  const seconds = ((state.endedAt ?? 0) - (state.startedAt ?? state.submittedAt)) / 1000;
  const given = state.rounds.filter(({ givenUp }) => givenUp !== null).length;
  const took = `${roundsOver(state)} rounds${given > 0 ? `, ${given} of them given up,` : ""} in ` +
    secondsText(Math.max(0, seconds));
  const failures = failureLines(state);
  return [
    colours.bold(colours.green(`finished: ${took}, ${qualityText(state)}`)),
    ...(failures.length > 0 ? [colours.yellow("clients that failed on the way:")] : []),
    ...failures.map((line) => `  ${line}`),
    `results are in ${results ?? "the server's folder of runs"}:`,
    "  model/model.json (tfjs), model.safetensors, accuracy.svg,",
    "  results.json, results.csv, log.jsonl",
  ];
}

/** Why a run has no model: its reason, and each client's. */
export function failureText(state: SessionState): string {
  const reasons = failureLines(state).map((line) => `\n  ${line}`);
  const verb = state.status === "stopped" ? "was stopped" : "failed";
  return `Session ${state.id} ${verb}: ${printable(state.reason ?? "no reason given")}${
    reasons.join("")
  }`;
}

/** Why clients failed, a line a client and reason, with the rounds in which it happened. */
function failureLines(state: SessionState): string[] {
  const found = new Map<string, { client: ClientRef; reason: string; rounds: number[] }>();
  for (const { failures, round } of state.rounds) {
    for (const { client, reason } of failures) {
      const key = JSON.stringify([client.id, reason]);
      const known = found.get(key) ?? { client, reason, rounds: [] };
      known.rounds.push(round);
      found.set(key, known);
    }
  }
  return [...found.values()]
    .sort((a, b) => byName(a.client, b.client))
    .map(({ client, reason, rounds }) => {
      const where = rounds.length === 1 ? `round ${rounds[0]}` : `rounds ${rangesText(rounds)}`;
      return printable(`${client.name} (${where}): ${reason}`);
    });
}

function qualityText(state: SessionState): string {
  const last = lastFinished(state);
  const measured = last?.validation ?? last?.finished?.metrics;
  if (measured === undefined) return "nothing measured";
  const by = last?.validation ? "on the server's validation set" : "in the clients' training";
  const accuracy = measured.accuracy === null ? "" : `accuracy ${percentText(measured.accuracy)}, `;
  return `${accuracy}loss ${lossText(measured.loss)} ${by}`;
}

/** Ascending numbers with runs joined: `1-3, 5`. */
function rangesText(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => from === to ? `${from}` : `${from}-${to}`).join(", ");
}
