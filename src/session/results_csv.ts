/** The results as a table for spreadsheets and plots: a line a round. Pure. */
import type { Results, RoundResult } from "./results.ts";

const COLUMNS: Readonly<Record<string, (round: RoundResult) => number | null>> = {
  round: ({ round }) => round,
  seconds: ({ seconds }) => seconds,
  selected: ({ selected }) => selected.length,
  trained: ({ updates }) => updates.length,
  failed: ({ failures }) => failures.length,
  samples: ({ updates }) => sum(updates.map(({ samples }) => samples)),
  train_loss: (round) => meanBySamples(round, "loss"),
  train_accuracy: (round) => meanBySamples(round, "accuracy"),
  validation_loss: ({ validation }) => validation?.loss ?? null,
  validation_accuracy: ({ validation }) => validation?.accuracy ?? null,
  bytes_down: ({ updates }) => sum(updates.map(({ bytes_down }) => bytes_down)),
  bytes_up: ({ updates }) => sum(updates.map(({ bytes_up }) => bytes_up)),
};

/**
 * CSV (RFC 4180 but for `\n` at line ends) with a header; numbers only, so nothing needs quotes;
 * a cell is empty where there is no number. Accuracies are fractions, means are by samples.
 */
export function resultsCsv({ rounds }: Results): string {
  const lines = rounds.map((round) =>
    Object.values(COLUMNS).map((column) => column(round) ?? "").join(",")
  );
  return [Object.keys(COLUMNS).join(","), ...lines].map((line) => `${line}\n`).join("");
}

/**
 * Mean over a round's updates, weighted by samples; null if one has no such number, or if the round
 * was given up.
 */
export function meanBySamples(
  { updates, given_up }: RoundResult,
  key: "loss" | "accuracy",
): number | null {
  if (given_up !== undefined) return null;
  let total = 0;
  for (const update of updates) {
    const value = update[key];
    if (value === null) return null;
    total += value * update.samples;
  }
  const samples = sum(updates.map((update) => update.samples));
  return samples === 0 ? null : total / samples;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
