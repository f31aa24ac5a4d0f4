/**
 * A run as a table that grows by a row a round, with the open round's clients under it. Pure: a
 * state and a size in, lines out; nothing here knows a terminal.
 */
import type { ClientRef } from "../core/ids.ts";
import { printable } from "./printable.ts";
import { isOver, openRound, type RoundRecord, type SessionState } from "../session/state.ts";
import type { Colours } from "./colours.ts";
import { bytesText, countText, lossText, percentText, secondsText } from "./quantities.ts";
import type { ClientProgress, RunProgress } from "./run_progress.ts";
import { type Column, cut, formatRow, layOut, type TableLayout } from "./table.ts";

/** How a table is drawn. */
export interface TableStyle {
  /** Characters in a line. */
  readonly columns: number;
  readonly colours: Colours;
  /** Wall-clock milliseconds, for the time that the open round has taken. */
  readonly now: number;
}

const MARK = { trained: "✓", failed: "✗" };
const LONGEST_BAR = 30;

/** What the run is, and the titles of its table; for the moment when the first round starts. */
export function headLines(state: SessionState, style: TableStyle): string[] {
  const { colours } = style;
  const clients = state.rounds[0]?.selected.length;
  const facts = [
    state.config.session_config.session_id ?? state.id.slice(0, 8),
    state.model.id,
    ...(state.parameters === null ? [] : [`${countText(state.parameters)} parameters`]),
    ...(clients === undefined ? [] : [clients === 1 ? "1 client" : `${clients} clients`]),
    `${totalRounds(state)} rounds`,
  ];
  const titles = columnsOf(state).map(({ title }) => title);
  return [
    colours.bold(cut(facts.join(" · "), style.columns)),
    "",
    colours.dim(formatRow(columnsOf(state), titles, layoutFor(state, style))),
  ];
}

/** The row of one round, over or not, and a line for each client that was lost in it. */
export function roundLines(state: SessionState, round: RoundRecord, style: TableStyle): string[] {
  const { colours } = style;
  const row = formatRow(columnsOf(state), cellsOf(state, round, style), layoutFor(state, style));
  const replaced = round.replaced.map(({ client, reason, by }) =>
    `  ${client.name} replaced by ${by?.name ?? "nobody"}: ${reason}`
  );
  const failed = round.failures.map(({ client, reason }) => failureText(client, reason));
  const givenUp = round.givenUp === null
    ? []
    : [`${MARK.failed} round ${round.round} is given up: ${round.givenUp.reason}`];
  return [
    isOver(round) ? row : colours.cyan(row),
    ...replaced.map((line) => colours.yellow(cut(line, style.columns))),
    ...[...failed, ...givenUp].map((line) => colours.red(cut(line, style.columns))),
  ];
}

/**
 * What is under way: the open round's row and a line for each of its clients.
 *
 * @param most number of lines; clients beyond it are summed up in the last one
 */
export function liveLines(run: RunProgress, style: TableStyle, most: number): string[] {
  const { state, waiting, paused } = run;
  if (state === null || state.endedAt !== null) return [];
  if (paused !== null) return [cut(`paused: ${printable(paused)}`, style.columns)];
  const round = openRound(state);
  if (round === null) {
    return [style.colours.dim(cut(pauseText(state, waiting), style.columns))];
  }
  const [row, ...lost] = roundLines(state, { ...round, failures: [] }, style);
  const room = Math.max(1, most - 1 - lost.length);
  const clients = clientLines(round, run, style, room);
  return [row!, ...lost, ...clients].slice(0, Math.max(1, most));
}

function clientLines(
  round: RoundRecord,
  run: RunProgress,
  style: TableStyle,
  room: number,
): string[] {
  const nameWidth = Math.min(24, Math.max(...round.selected.map(({ name }) => name.length), 0));
  const shown = round.selected.length <= room ? round.selected : round.selected.slice(0, room - 1);
  const lines = shown.map((client) => {
    const update = round.updates.find((known) => known.client.id === client.id);
    const failure = round.failures.find((known) => known.client.id === client.id);
    const name = cut(client.name, nameWidth).padEnd(nameWidth);
    if (failure) return style.colours.red(cut(failureText(client, failure.reason), style.columns));
    if (update) {
      const { metrics, samples, seconds } = update;
      const facts = [
        `${countText(samples)} samples`,
        `loss ${lossText(metrics.loss)}`,
        secondsText(seconds),
      ];
      const text = `${MARK.trained} ${name}  ${facts.join("  ")}`;
      return style.colours.green(cut(text, style.columns));
    }
    return cut(`  ${name}  ${progressText(run.training[client.id], style.columns)}`, style.columns);
  });
  const hidden = round.selected.length - shown.length;
  if (hidden === 0) return lines;
  const answered = round.updates.length + round.failures.length;
  const rest = `  … and ${hidden} more clients; ${answered} of ${round.selected.length} are done`;
  return [...lines, style.colours.dim(cut(rest, style.columns))];
}

function progressText(progress: ClientProgress | undefined, columns: number): string {
  if (progress === undefined) return "starting";
  const { batchesDone, batchesTotal, loss } = progress;
  const fraction = batchesTotal > 0 ? Math.min(1, batchesDone / batchesTotal) : 0;
  const count = `${batchesDone}/${batchesTotal}`;
  const measured = loss === null ? "" : `  loss ${lossText(loss)}`;
  // A bar narrower than this says nothing: the numbers alone remain.
  const width = Math.min(LONGEST_BAR, columns - 56);
  if (width < 8) return count + measured;
  const full = Math.round(fraction * width);
  return `${"█".repeat(full)}${"░".repeat(width - full)}  ${count} batches${measured}`;
}

function pauseText(state: SessionState, waiting: RunProgress["waiting"]): string {
  if (waiting !== null) {
    return `waiting for clients: ${waiting.present} of ${waiting.needed} are there`;
  }
  if (state.status === "queued") return "waiting for its turn, or for the model to be built";
  return state.rounds.length === 0 ? "selecting clients" : "between two rounds";
}

function failureText(client: ClientRef, reason: string): string {
  return `${MARK.failed} ${client.name} failed: ${reason}`;
}

function columnsOf(state: SessionState): Column[] {
  const digits = String(totalRounds(state)).length;
  return [
    { title: "round", align: "right", width: 2 * digits + 1 },
    { title: "clients", align: "right", dropped: 6 },
    { title: "loss", align: "right", dropped: 3, width: 6 },
    { title: "accuracy", align: "right", dropped: 7, width: 8 },
    { title: "val loss", align: "right", dropped: 4, width: 8 },
    { title: "val acc", align: "right", width: 8 },
    { title: "time", align: "right", dropped: 5, width: 6 },
    { title: "down", align: "right", dropped: 1, width: 8 },
    { title: "up", align: "right", dropped: 2, width: 8 },
  ];
}

/** Depends on the run and the width alone, so that rows printed at different times line up. */
function layoutFor(state: SessionState, { columns }: TableStyle): TableLayout {
  return layOut(columnsOf(state), [], columns);
}

function cellsOf(state: SessionState, round: RoundRecord, { now }: TableStyle): string[] {
  const { finished, givenUp, validation, updates } = round;
  const over = finished ?? givenUp;
  const elapsed = Math.max(0, Math.floor((now - round.startedAt) / 1000));
  const sum = (key: "bytesDown" | "bytesUp") =>
    bytesText(updates.reduce((total, update) => total + update[key], 0));
  return [
    `${round.round}/${totalRounds(state)}`,
    `${updates.length}/${round.selected.length}`,
    lossText(finished?.metrics.loss),
    percentText(finished?.metrics.accuracy),
    lossText(validation?.loss),
    percentText(validation?.accuracy),
    over === null ? `${elapsed} s` : secondsText(over.seconds),
    sum("bytesDown"),
    sum("bytesUp"),
  ];
}

function totalRounds(state: SessionState): number {
  return state.config.server_training_config.num_training_rounds;
}
