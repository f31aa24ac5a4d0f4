/**
 * Processes that run side by side in one terminal and end together.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { coloursFor } from "../src/cli/colours.ts";
import { standardOutput } from "../src/cli/output.ts";
import { type LabelColour, prefixed, sayOutput } from "./prefixed_output.ts";

/** How long a process may take to end when it is asked to. */
const GRACE_MS = 10_000;

/** A process to start. */
export interface Member {
  readonly name: string;
  readonly colour: LabelColour;
  /** Full path of the executable. */
  readonly program: string;
  readonly args: readonly string[];
  /** Printed first, where there is something to tell. */
  readonly greeting?: string;
  /** What a user can do when it ends by itself. */
  readonly hint: string;
}

/** Started processes, all of them ended once {@link ProcessGroup.stop} has resolved. */
export class ProcessGroup implements AsyncDisposable {
  readonly #children: ChildProcess[] = [];
  readonly #ends: Promise<void>[] = [];
  #stopping = false;

  /** Starts all of them. */
  constructor(members: readonly Member[], cwd?: string) {
    const width = Math.max(...members.map(({ name }) => name.length));
    const colours = coloursFor(standardOutput);
    for (const member of members) {
      // A group of its own: Ctrl-C reaches us alone, and each child gets one signal, not two.
      const child = spawn(member.program, [...member.args], {
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
        ...(cwd === undefined ? {} : { cwd }),
      });
      const say = prefixed({ ...member, width }, colours);
      if (member.greeting !== undefined) say(member.greeting);
      sayOutput(child, say);
      this.#children.push(child);
      this.#ends.push(this.#end(child, member, say));
    }
  }

  /** Resolves when the first of them has ended, asked to or not. */
  async firstEnd(): Promise<void> {
    await Promise.race(this.#ends);
  }

  /** Asks all to end, ends those that take longer than ten seconds, and waits for the last. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#signal("SIGTERM");
    const hard = setTimeout(() => this.kill(), GRACE_MS);
    await Promise.all(this.#ends);
    clearTimeout(hard);
  }

  /** Ends all at once. */
  kill(): void {
    this.#stopping = true;
    this.#signal("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #signal(signal: "SIGTERM" | "SIGKILL"): void {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    }
  }

  async #end(child: ChildProcess, { hint }: Member, say: (line: string) => void): Promise<void> {
    const [code, signal] = await once(child, "close");
    say(this.#stopping ? "ended" : `ended by itself with ${signal ?? `code ${code}`}: ${hint}`);
  }
}
