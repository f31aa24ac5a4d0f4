/**
 * A session as small as it can be said: who is there, who owes what, and what follows. No network,
 * no store, no waiting: each command is done at once, and a killed leader changes nothing but who
 * is waited for.
 */

export const ROUNDS = 3;
/** Each client adds its step; the mean of any of them is a whole number. */
export const STEPS: Readonly<Record<string, number>> = { u1: 12, u2: 24, u3: 48, u4: 96 };
export const CLIENTS = Object.keys(STEPS);
/** How long a session waits for a first client, and for a lost one to come back. */
export const WAIT_MS = 60_000;
export const RETURN_MS = 30_000;
/** Rounds in a row that a session gives up before it fails of one more. */
export const MOST_GIVEN_UP = 1;

/** What a client has of the job that it was given: it outlives the leader that gave it. */
export type Work = "none" | "training" | "done" | "unusable";

interface Owed {
  work: Work;
  losses: number;
  lostSinceMs: number | null;
}

type Phase =
  | { readonly kind: "waiting"; readonly sinceMs: number }
  | { readonly kind: "round"; readonly owed: Map<string, Owed> }
  | { readonly kind: "ended"; readonly status: "finished" | "failed" | "stopped" };

/** What both the reference and the real session must show alike. */
export interface Shown {
  readonly status: string;
  readonly rounds: number;
  readonly owed: readonly string[];
  readonly updates: readonly (readonly string[])[];
  readonly failures: readonly (readonly string[])[];
  /** Rounds that were given up. */
  readonly givenUp: readonly number[];
  /** Any of the global weights; all are equal. */
  readonly weights: number;
  /** Trainings begun, by client and round. */
  readonly begun: Readonly<Record<string, number>>;
}

/** The reference. */
export class ReferenceSession {
  nowMs = 0;
  readonly present = new Set(CLIENTS);
  phase: Phase = { kind: "waiting", sinceMs: 0 };
  #weights = 0;
  readonly #updates: string[][] = [];
  readonly #failures: string[][] = [];
  readonly #givenUp: number[] = [];
  readonly #begun: Record<string, number> = {};
  /** Who was there at the last selection. */
  #before: string[] = [];
  /** After a restart: whom the next round waits for, and until when. */
  #returning: { readonly clients: readonly string[]; readonly untilMs: number } | null = null;

  constructor() {
    this.#settle();
  }

  get ended(): boolean {
    return this.phase.kind === "ended";
  }

  get round(): number {
    return this.#updates.length;
  }

  /** A client's work on the open round; undefined if it owes nothing. */
  workOf(client: string): Work | undefined {
    return this.phase.kind === "round" ? this.phase.owed.get(client)?.work : undefined;
  }

  /** How often the client was lost in the open round. */
  lossesOf(client: string): number {
    return this.phase.kind === "round" ? this.phase.owed.get(client)?.losses ?? 0 : 0;
  }

  shown(): Shown {
    const { phase } = this;
    return {
      status: phase.kind === "ended" ? phase.status : "running",
      rounds: this.round,
      owed: phase.kind === "round" ? [...phase.owed.keys()].sort() : [],
      updates: this.#updates.map((clients) => clients.toSorted()),
      failures: this.#failures.map((clients) => clients.toSorted()),
      givenUp: [...this.#givenUp],
      weights: this.#weights,
      begun: { ...this.#begun },
    };
  }

  /** The client's training ends, well or with what cannot be used. */
  trained(client: string, work: "done" | "unusable"): void {
    this.#owed(client).work = work;
    this.#settle();
  }

  /** The client cannot be reached; if it has died, what it was training is lost. */
  leave(client: string, died: boolean): void {
    this.present.delete(client);
    const owed = this.phase.kind === "round" ? this.phase.owed.get(client) : undefined;
    if (died && owed?.work === "training") owed.work = "none";
    this.#settle();
  }

  join(client: string): void {
    this.present.add(client);
    this.#settle();
  }

  advance(ms: number, isBeyondAllDeadlines: boolean): void {
    this.nowMs += ms;
    if (isBeyondAllDeadlines && this.phase.kind === "round") {
      for (const client of [...this.phase.owed.keys()]) this.#fail(client);
    }
    this.#settle();
  }

  /** The leader dies and another takes over. */
  takeOver(): void {
    const { phase } = this;
    if (phase.kind === "round") {
      for (const owed of phase.owed.values()) owed.lostSinceMs = null;
    } else if (phase.kind === "waiting") {
      this.phase = { kind: "waiting", sinceMs: this.nowMs };
    }
    this.expectReturn();
    this.#settle();
  }

  /** A leader took over in a round: the next one waits for who was there in this. */
  expectReturn(): void {
    this.#returning = { clients: this.#before, untilMs: this.nowMs + RETURN_MS };
  }

  stop(): void {
    this.phase = { kind: "ended", status: "stopped" };
  }

  #owed(client: string): Owed {
    if (this.phase.kind !== "round") throw new Error("There is no open round");
    return this.phase.owed.get(client)!;
  }

  #settle(): void {
    while (this.#step());
  }

  /** Does what follows next; false if nothing does. */
  #step(): boolean {
    switch (this.phase.kind) {
      case "ended":
        return false;
      case "waiting":
        return this.#open(this.phase);
      case "round":
        return this.#gather(this.phase.owed);
    }
  }

  #open({ sinceMs }: Extract<Phase, { kind: "waiting" }>): boolean {
    const returning = this.#returning;
    const isPatient = returning !== null && this.nowMs < returning.untilMs &&
      returning.clients.some((client) => !this.present.has(client));
    if (this.present.size === 0) {
      if (this.nowMs - sinceMs < WAIT_MS) return false;
      this.phase = { kind: "ended", status: "failed" };
      return true;
    }
    if (isPatient) return false;
    this.#returning = null;
    this.#before = [...this.present];
    const owed = this.#before.map((client): [string, Owed] => {
      return [client, { work: "none", losses: 0, lostSinceMs: null }];
    });
    this.#updates.push([]);
    this.#failures.push([]);
    this.phase = { kind: "round", owed: new Map(owed) };
    return true;
  }

  #gather(owed: Map<string, Owed>): boolean {
    let moved = false;
    for (const [client, one] of owed) {
      if (!this.present.has(client)) {
        if (one.lostSinceMs === null) one.losses++;
        one.lostSinceMs ??= this.nowMs;
        if (this.nowMs - one.lostSinceMs < RETURN_MS) continue;
        this.#fail(client);
      } else {
        one.lostSinceMs = null;
        if (one.work === "training") continue;
        if (one.work === "none") {
          one.work = "training";
          const job = `${client} in ${this.round}`;
          this.#begun[job] = (this.#begun[job] ?? 0) + 1;
        } else if (one.work === "done") {
          owed.delete(client);
          this.#updates.at(-1)!.push(client);
        } else this.#fail(client);
      }
      moved = true;
    }
    if (owed.size > 0) return moved;
    this.#close(this.#updates.at(-1)!);
    return true;
  }

  #fail(client: string): void {
    if (this.phase.kind === "round") this.phase.owed.delete(client);
    this.#failures.at(-1)!.push(client);
  }

  #close(updates: readonly string[]): void {
    if (updates.length > 0) {
      this.#weights += updates.reduce((sum, client) => sum + STEPS[client]!, 0) / updates.length;
    } else if (this.#mayGiveUp()) {
      this.#givenUp.push(this.round);
    } else {
      this.phase = { kind: "ended", status: "failed" };
      return;
    }
    this.phase = this.round === ROUNDS
      ? { kind: "ended", status: "finished" }
      : { kind: "waiting", sinceMs: this.nowMs };
  }

  /** Not one too many in a row, which is before all rounds could be given up. */
  #mayGiveUp(): boolean {
    const before = Array.from({ length: MOST_GIVEN_UP }, (_, i) => this.round - 1 - i);
    return !before.every((round) => this.#givenUp.includes(round));
  }
}
