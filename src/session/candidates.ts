/** Who could train in a session: waits for enough clients, and for those who owe an answer. */
import { SessionFailedError } from "../core/errors.ts";
import type { ClientRef } from "../core/ids.ts";
import type { Candidate } from "../selection/selector.ts";
import type { FleetMember } from "./fleet.ts";
import type { EngineContext } from "./run_context.ts";
import { finishedRounds, type SessionState } from "./state.ts";

/** The clients of one run, as they come and go. */
export class Candidates {
  /** @param signal ends all waiting */
  constructor(
    readonly context: Pick<EngineContext, "journal" | "fleet" | "clock">,
    readonly signal: AbortSignal,
  ) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  /**
   * Waits until `min_clients` are there.
   *
   * @throws {SessionFailedError} fewer came within `wait_for_clients_s`
   */
  async enough(): Promise<Candidate[]> {
    const { journal, fleet, clock } = this.context;
    const { session_config: { min_clients: needed, wait_for_clients_s: seconds } } =
      this.#state.config;
    const { dataset } = this.#state.config.client_training_config;
    const deadline = clock.monotonicMs() + seconds * 1000;
    let told = -1;
    for (;;) {
      const members = fleet.holding(dataset)
        .filter(({ id }) => this.#state.inFlight[id] === undefined);
      if (members.length >= needed) return members.map((member) => this.#candidate(member));
      const left = deadline - clock.monotonicMs();
      if (left <= 0) {
        throw new SessionFailedError(
          `Cannot start round ${finishedRounds(this.#state) + 1} as min_clients is ${needed}: ` +
            `${members.length} came within ${seconds} s that hold the dataset "${dataset}", ` +
            `${fleet.activeCount()} are active in all`,
        );
      }
      if (told !== members.length) {
        journal.note({ type: "waiting_for_clients", present: members.length, needed });
        told = members.length;
      }
      await this.#nextChange(left);
    }
  }

  /** Waits for a client that was told to train before a restart, as long as for any client. */
  async back({ id }: ClientRef): Promise<void> {
    const { fleet, clock } = this.context;
    const { session_config, client_training_config: { dataset } } = this.#state.config;
    const deadline = clock.monotonicMs() + session_config.wait_for_clients_s * 1000;
    while (!fleet.holding(dataset).some((member) => member.id === id)) {
      const left = deadline - clock.monotonicMs();
      if (left <= 0) return;
      await this.#nextChange(left);
    }
  }

  /** Resolves when the fleet changes or the time is over. */
  async #nextChange(mostMs: number): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([this.signal, over.signal]);
    await Promise.race([
      this.context.fleet.nextChange(either),
      this.context.clock.sleep(mostMs, either),
    ]).finally(() => over.abort());
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
