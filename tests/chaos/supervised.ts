/**
 * A process that is started again whenever it dies, as systemd or Kubernetes would, and whose
 * deaths are decided beforehand.
 */
import { ExitCode } from "../../src/core/errors.ts";
import type { Program } from "../fixtures/federation.ts";
import { type Fate, fateText } from "./plan.ts";

/** One process as a supervisor keeps it. */
export interface SupervisedOptions {
  readonly name: string;
  /** Starts it, with variables for its environment. */
  launch(env: Record<string, string>): Program;
  /** What it prints when it is at work. */
  readonly ready: RegExp;
  /** How it dies, one after another. */
  readonly fates: Iterator<Fate, never>;
  readonly listener: LifeListener;
}

/** Hears of the lives of processes, by their names. */
export interface LifeListener {
  /** One has died as it should. */
  onDeath(name: string, fate: string): void;
  /** One has ended in any other way. */
  onUnexpectedEnd(name: string, program: Program): void;
  /** One is started (again). */
  onStart(name: string): void;
}

/** Pause before a program that could not reach what it needs is started again. */
const RESTART_MS = 200;
/** A death at a point that is not passed comes by a signal after this long. */
const LONGEST_WAIT_FOR_CRASH_MS = 10_000;

/** Keeps one process alive between its deaths. */
export class Supervised {
  readonly #options: SupervisedOptions;
  #program!: Program;
  #fate: Fate | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #mortal = false;
  #closing = false;
  /** All programs so far, for what they have printed. */
  readonly programs: Program[] = [];

  constructor(options: SupervisedOptions) {
    this.#options = options;
    this.#start();
  }

  get program(): Program {
    return this.#program;
  }

  /** Resolves when the process that runs then is at work, also if others die before it. */
  async ready(deadlineMs = 60_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      const program = this.#program;
      try {
        await program.says(this.#options.ready, deadline - performance.now());
        if (program === this.#program) return;
      } catch (error) {
        if (performance.now() >= deadline) throw error;
        // It died first; the supervisor starts the next one in a moment.
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  }

  /** From now on it dies by its fates, the present process too. */
  condemn(): void {
    this.#mortal = true;
    const fate = this.#options.fates.next().value;
    // A running process cannot be given a crash point any more.
    this.#await(fate.kind === "kill" ? fate : { kind: "kill", afterMs: 500 });
  }

  /** From now on it lives, unless its crash point comes. */
  spare(): void {
    this.#mortal = false;
    clearTimeout(this.#timer);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.spare();
    this.#program.kill("SIGCONT");
    await this.#program[Symbol.asyncDispose]();
  }

  #start(): void {
    const fate = this.#mortal ? this.#options.fates.next().value : null;
    const env: Record<string, string> = fate?.kind === "crash"
      ? { FLOTILLA_CRASH_AT: `${fate.point}:${fate.count}` }
      : {};
    const program = this.#options.launch(env);
    this.#program = program;
    this.programs.push(program);
    this.#options.listener.onStart(this.#options.name);
    if (fate === null) this.#fate = null;
    else this.#await(fate);
    void program.ended.then((status) => {
      clearTimeout(this.#timer);
      if (this.#closing) return;
      const { name, listener } = this.#options;
      if (status.code === ExitCode.unreachable) {
        // Its store is away just now: a supervisor starts it again until the store is back.
        setTimeout(() => this.#closing || this.#start(), RESTART_MS);
        return;
      }
      if (status.signal !== "SIGKILL") return listener.onUnexpectedEnd(name, program);
      listener.onDeath(name, this.#fate === null ? "crash" : fateText(this.#fate));
      this.#start();
    });
  }

  #await(fate: Fate): void {
    this.#fate = fate;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        if (fate.kind === "crash") {
          this.#fate = { kind: "kill", afterMs: LONGEST_WAIT_FOR_CRASH_MS };
        }
        this.#program.kill("SIGKILL");
      },
      fate.kind === "kill" ? fate.afterMs : LONGEST_WAIT_FOR_CRASH_MS,
    );
  }
}
