/**
 * A run drawn on a terminal: settled rows scroll up as ordinary text, and what is under way is
 * redrawn below them, at most ten times a second.
 */
import { createLogUpdate } from "log-update";
import type { Clock } from "../core/clock.ts";
import { roundsOver, type SessionState } from "../session/state.ts";
import type { Colours } from "./colours.ts";
import { type Output, OutputClosedError } from "./output.ts";
import { nothingYet, type RunProgress } from "./run_progress.ts";
import { headLines, liveLines, roundLines, type TableStyle } from "./run_table.ts";

/** Least milliseconds between two drawings. */
const REDRAW_MS = 100;

/** A run that is followed on a terminal. */
export class LiveRun {
  readonly #output: Output;
  readonly #colours: Colours;
  readonly #clock: Pick<Clock, "epochMs">;
  readonly #draw: ReturnType<typeof createLogUpdate>;
  readonly #timer: ReturnType<typeof setInterval>;
  #run: RunProgress = nothingYet;
  #note = "";
  #headPrinted = false;
  /** Number of rounds whose rows can change no more and have scrolled up. */
  #settled = 0;

  constructor(output: Output, colours: Colours, clock: Pick<Clock, "epochMs">) {
    this.#output = output;
    this.#colours = colours;
    this.#clock = clock;
    const stream = {
      write: (text: string) => output.write(text),
      isTTY: true,
      get columns() {
        return output.size().columns;
      },
      get rows() {
        return output.size().rows;
      },
    };
    // log-update asks for a whole Node stream but uses these four alone; it would hide the cursor
    // of the process's own terminal, whatever the stream is, if it were not told to leave it.
    this.#draw = createLogUpdate(stream as unknown as NodeJS.WritableStream, { showCursor: true });
    this.#timer = setInterval(() => this.#tick(), REDRAW_MS);
  }

  /** Takes over what is known now; it is drawn with the next redrawing. */
  show(run: RunProgress): void {
    this.#run = run;
  }

  /** Shows a line under the rest, such as that the connection is broken; empty to remove it. */
  note(text: string): void {
    this.#note = text;
  }

  /** Draws for the last time: all rows become ordinary text, what was under way disappears. */
  close(): void {
    clearInterval(this.#timer);
    const { state } = this.#run;
    // A round that is under way is worth a row only if the run has ended in it.
    const rounds = state === null
      ? 0
      : state.endedAt === null
      ? roundsOver(state)
      : state.rounds.length;
    const lines = state === null ? [] : this.#settle(state, rounds);
    this.#draw.clear();
    if (lines.length > 0) this.#draw.persist(lines.join("\n"));
    this.#draw.done();
  }

  /** Draws what has changed; the timer does so by itself. */
  redraw(): void {
    const { state } = this.#run;
    if (state === null) return;
    const { rows } = this.#output.size();
    const style = this.#style();
    const over = roundsOver(state);
    const settled = this.#settle(state, settledRounds(state, over));
    const unsettled = state.rounds.slice(this.#settled, over)
      .flatMap((round) => roundLines(state, round, style));
    const note = this.#note === "" ? [] : [this.#colours.yellow(this.#note)];
    const room = rows - 1 - unsettled.length - note.length;
    const live = [...unsettled, ...liveLines(this.#run, style, room), ...note];
    if (settled.length > 0) this.#draw.persist(settled.join("\n"));
    this.#draw(live.join("\n"));
  }

  #tick(): void {
    try {
      this.redraw();
    } catch (error) {
      // Thrown from a timer it would end the process without a word to anyone.
      clearInterval(this.#timer);
      if (!(error instanceof OutputClosedError)) throw error;
    }
  }

  /** The lines of all rounds up to `count` that have not been printed, and the head before them. */
  #settle(state: SessionState, count: number): string[] {
    const style = this.#style();
    const lines: string[] = [];
    if (!this.#headPrinted && state.rounds.length > 0) {
      this.#headPrinted = true;
      lines.push(...headLines(state, style));
    }
    for (; this.#settled < count; this.#settled++) {
      lines.push(...roundLines(state, state.rounds[this.#settled]!, style));
    }
    return lines;
  }

  #style(): TableStyle {
    const columns = this.#output.size().columns;
    return { columns, colours: this.#colours, now: this.#clock.epochMs() };
  }
}

/**
 * Number of rounds whose rows will not change: a validation may still come for the last round that
 * is over, or for the one before while the next is already under way.
 */
function settledRounds(state: SessionState, over: number): number {
  const validated = state.rounds.findLastIndex(({ validation }) => validation !== null) + 1;
  return Math.max(validated, over - 2, 0);
}
