/** Who could train in a session: waits for enough clients, and for those who were there before. */
import { SessionFailedError } from "../core/errors.ts";
import type { ClientId } from "../core/ids.ts";
import type { Candidate } from "../selection/selector.ts";
import { changeWithin, type FleetMember } from "./fleet.ts";
import type { EngineContext } from "./run_context.ts";
import { finishedRounds, type SessionState } from "./state.ts";

/** The clients of one run, as they come and go. */
export class Candidates {
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
   * Waits until `min_clients` are there, and those of whom {@link expectReturn} knows.
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
      const members = here.filter(({ id }) => this.#state.inFlight[id] === undefined);
      const missing = returning === null || now >= returning.untilMs
        ? []
        : returning.ids.filter((id) => !here.some((member) => member.id === id));
      const isEnough = members.length >= needed;
      if (isEnough && missing.length === 0) {
        return members.map((member) => this.#candidate(member));
      }
      const left = (isEnough ? returning!.untilMs : deadline) - now;
      if (left <= 0) {
        throw new SessionFailedError(
          `Cannot start round ${finishedRounds(this.#state) + 1} as min_clients is ${needed}: ` +
            `${members.length} came within ${seconds} s that hold the dataset "${dataset}", ` +
            `${fleet.activeCount()} are active in all`,
        );
      }
      const present = members.length;
      const wanted = Math.max(needed, present + missing.length);
      if (told !== `${present} of ${wanted}`) {
        journal.note({ type: "waiting_for_clients", present, needed: wanted });
        told = `${present} of ${wanted}`;
      }
      await changeWithin(fleet, clock, left, this.signal);
    }
  }

  #candidate({ id, name, samples, labelDistribution }: FleetMember): Candidate {
    const last = this.#state.rounds
      .flatMap(({ updates }) => updates)
      .findLast(({ client }) => client.id === id);
    return {
      id,
      name,
      samples,
      labelDistribution,
      lastMetrics: last?.metrics ?? null,
      lastRound: last?.round ?? null,
    };
  }
}
