/** Who could train in a session: waits for enough clients, and for those who were there before. */
import { SessionFailedError } from "../core/errors.ts";
import { byName, type ClientId } from "../core/ids.ts";
import type { BusyClient, Candidate } from "../selection/selector.ts";
import { historyOf, secondsPerBatch } from "./client_history.ts";
import { changeWithin, type FleetMember } from "./fleet.ts";
import type { EngineContext } from "./run_context.ts";
import { roundsOver, type SessionState } from "./state.ts";

/** The clients of one run, as they come and go. */
export class Candidates {
  /** Idle clients that are being measured. */
  readonly #reserved = new Set<ClientId>();
  /** Whom the next round waits for although it could do without them; null but after a restart. */
  #returning: { readonly ids: readonly ClientId[]; readonly untilMs: number } | null = null;

  /** @param signal ends all waiting */
  constructor(
    readonly context: Pick<EngineContext, "journal" | "fleet" | "clock" | "returnMs">,
    readonly signal: AbortSignal,
  ) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  /**
   * After a restart: makes the next round wait for all clients that were there before, so that it
   * selects among the same; as long as for any lost client, and no longer than
   * `wait_for_clients_s`.
   */
  expectReturn(): void {
    const { rounds, continued } = this.#state;
    const last = rounds.at(-1);
    if (last === undefined) return;
    // A run that was revived goes on with whoever is there.
    if (continued?.how === "revive" && continued.rounds === rounds.length) return;
    const { clock, returnMs } = this.context;
    const { wait_for_clients_s: seconds } = this.#state.config.session_config;
    this.#returning = {
      ids: [...last.selected, ...last.spares].map(({ id }) => id),
      untilMs: clock.monotonicMs() + Math.min(seconds * 1000, returnMs),
    };
  }

  /**
   * Waits until `min_clients` are there, and those of whom {@link expectReturn} knows; not while
   * others are at work, whose answers go first.
   *
   * @throws {SessionFailedError} fewer than `min_clients` came within `wait_for_clients_s`
   */
  async enough(): Promise<Candidate[]> {
    const { journal, fleet, clock } = this.context;
    const { session_config: { min_clients: needed, wait_for_clients_s: seconds } } =
      this.#state.config;
    const { dataset } = this.#state.config.client_training_config;
    const deadline = clock.monotonicMs() + seconds * 1000;
    const returning = this.#returning;
    this.#returning = null;
    let told = "";
    for (;;) {
      const now = clock.monotonicMs();
      const here = fleet.holding(dataset);
      const members = here.filter(({ id }) => this.#isIdle(id));
      const present = new Set(here.map(({ id }) => id));
      const missing = returning === null || now >= returning.untilMs
        ? []
        : returning.ids.filter((id) => !present.has(id));
      const isBusy = Object.keys(this.#state.inFlight).length > 0;
      const isEnough = isBusy || members.length >= needed;
      if (isEnough && missing.length === 0) {
        return members.map((member) => this.withHistory(member));
      }
      const left = (isEnough ? returning!.untilMs : deadline) - now;
      if (left <= 0) {
        throw new SessionFailedError(
          `Cannot start round ${roundsOver(this.#state) + 1} as min_clients is ${needed}: ` +
            `${members.length} came within ${seconds} s that hold the dataset "${dataset}", ` +
            `${fleet.activeCount()} are active in all`,
        );
      }
      const idle = members.length;
      const wanted = Math.max(needed, idle + missing.length);
      if (told !== `${idle} of ${wanted}`) {
        journal.note({ type: "waiting_for_clients", present: idle, needed: wanted });
        told = `${idle} of ${wanted}`;
      }
      await changeWithin(fleet, clock, left, this.signal);
    }
  }

  /** Keeps a client from being selected until it is released. */
  reserve(id: ClientId): void {
    this.#reserved.add(id);
  }

  release(id: ClientId): void {
    this.#reserved.delete(id);
  }

  /** Whether no client is at work or could be selected, but for those that are reserved. */
  nobodyElse(): boolean {
    const { dataset } = this.#state.config.client_training_config;
    return Object.keys(this.#state.inFlight).length === 0 &&
      !this.context.fleet.holding(dataset).some(({ id }) => this.#isIdle(id));
  }

  #isIdle(id: ClientId): boolean {
    return this.#state.inFlight[id] === undefined && !this.#reserved.has(id);
  }

  /** The clients at work for this session, in order of name; also those that have left. */
  busy(): BusyClient[] {
    const { dataset } = this.#state.config.client_training_config;
    const here = new Map(this.context.fleet.holding(dataset).map((member) => [member.id, member]));
    return Object.values(this.#state.inFlight)
      .map(({ client, round, group }) => ({
        ...this.withHistory(
          here.get(client.id) ?? { ...client, samples: 0, labelDistribution: null },
        ),
        assignedRound: round,
        group,
      }))
      .sort(byName);
  }

  /** The idle clients that could be added to the round under way: those it has not had yet. */
  unused(): Candidate[] {
    const { dataset } = this.#state.config.client_training_config;
    const { selected, replaced, failures } = this.#state.rounds.at(-1)!;
    const used = new Set([
      ...Object.keys(this.#state.inFlight),
      ...this.#reserved,
      ...selected.map(({ id }) => id),
      ...[...replaced, ...failures].map(({ client }) => client.id),
    ]);
    return this.context.fleet.holding(dataset)
      .filter(({ id }) => !used.has(id))
      .map((member) => this.withHistory(member));
  }

  /** A client with what the session knows of it now. */
  withHistory({ id, name, samples, labelDistribution }: FleetMember): Candidate {
    const history = historyOf(this.#state.clients, id);
    const { lastMetrics, lastRound, lastValidation, failedLast } = history;
    return {
      id,
      name,
      samples,
      labelDistribution,
      lastMetrics,
      lastRound,
      lastValidation,
      secondsPerBatch: secondsPerBatch(history),
      failedLast,
    };
  }
}
