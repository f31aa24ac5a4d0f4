/**
 * Who trains: asks the selector, then those selected for their echo, and journals the outcome. A
 * strategy that wants to know how the global weights serve each client has them validate first.
 */
import { messageOf, SessionFailedError } from "../core/errors.ts";
import { byName, type ClientId, type ClientRef } from "../core/ids.ts";
import { type Prng, seeded } from "../core/prng.ts";
import type { Candidate, Selection, SelectionView } from "../selection/selector.ts";
import type { JsonObject } from "../core/json.ts";
import type { Candidates } from "./candidates.ts";
import { type EchoOutcome, echoSelected } from "./echo.ts";
import type { ClientValidation } from "./events.ts";
import { changeWithin } from "./fleet.ts";
import type { EngineContext } from "./run_context.ts";
import { refillSeed, roundSeed } from "./seeds.ts";
import { openRound, roundsOver, type SessionState } from "./state.ts";
import type { GlobalWeights } from "./global_weights.ts";

/** What selection needs from the loop. */
export interface SelectionContext
  extends Pick<EngineContext, "journal" | "fleet" | "selector" | "clock" | "returnMs"> {
  readonly candidates: Candidates;
  readonly signal: AbortSignal;
  /** The current global weights. */
  global(): GlobalWeights;
  /** Has one client validate the global weights on its own test split. */
  validate(client: ClientRef, round: number): Promise<ClientValidation>;
}

/** Longest pause before another try when too few of those selected have answered. */
const SELECT_AGAIN_MS = 200;

/** Who was selected, and who of them answered. */
interface Asked {
  readonly outcome: EchoOutcome;
  readonly chosen: Selection<JsonObject>;
  /** How many the strategy wanted at first, before anyone was silent. */
  readonly wanted: number;
}

/** The selections of one run. */
export class SelectionStep {
  constructor(readonly context: SelectionContext) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  get #args(): JsonObject {
    return this.#state.config.session_config.client_selection_args;
  }

  /**
   * Selects for the next round and journals its start.
   *
   * @throws {SessionFailedError} nobody can train in it
   */
  async open(): Promise<void> {
    const { journal, selector } = this.context;
    const round = roundsOver(this.#state) + 1;
    const seed = roundSeed(this.#state.seed, round);
    const state = this.#state.selectorState ?? await selector.initial(this.#args);
    const { here, outcome, chosen } = await this.#enoughAnswers(round, state, seed);
    if (outcome.selected.length === 0 && !this.#anybodyAtWork()) {
      const silent = outcome.replaced.map(({ client, reason }) => `${client.name}: ${reason}`);
      throw new SessionFailedError(
        `No client is left for round ${round}: ${silent.join("; ") || "none was selected"}`,
      );
    }
    const asked = new Set(
      [...outcome.selected, ...outcome.replaced.map(({ client }) => client)].map(({ id }) => id),
    );
    await journal.append({
      type: "round_started",
      round,
      seed,
      ...outcome,
      spares: refsOf(here).filter(({ id }) => !asked.has(id)),
      weights: this.context.global().id,
      ...groupsOf(chosen, outcome),
      selectorState: chosen.state,
    });
  }

  /**
   * Selects and waits for every echo. Where those who answer are too few for the round, it begins
   * anew for as long as a lost client has to come back: one may have died since the last round.
   */
  async #enoughAnswers(
    round: number,
    state: JsonObject,
    seed: number,
  ): Promise<Asked & { here: readonly Candidate[] }> {
    const { fleet, clock, returnMs, selector, candidates, signal } = this.context;
    const { min_clients, min_updates, wait_for_clients_s } = this.#state.config.session_config;
    const untilMs = clock.monotonicMs() + Math.min(wait_for_clients_s * 1000, returnMs);
    for (;;) {
      const before = await candidates.enough();
      const here = await this.#validated(this.#view(round, before), state)
        ? this.#anew(before)
        : before;
      const prng = seeded(seed);
      const asked = await this.#ask(
        here,
        (left) => selector.select(this.#view(round, left), state, this.#args, prng),
        prng,
      );
      const needed = Math.min(asked.wanted, Math.max(min_clients, min_updates));
      const isEnough = asked.outcome.selected.length >= needed || this.#anybodyAtWork();
      const leftMs = untilMs - clock.monotonicMs();
      if (isEnough || leftMs <= 0) return { here, ...asked };
      await changeWithin(fleet, clock, Math.min(SELECT_AGAIN_MS, leftMs), signal);
    }
  }

  /** Adds clients to the round under way, if the strategy wants to. @returns whether it has */
  async refill(): Promise<boolean> {
    const { journal, selector, candidates } = this.context;
    const { round } = openRound(this.#state)!;
    const state = this.#state.selectorState!;
    if (selector.refill === undefined) return false;
    const here = candidates.unused();
    // Its own for each refill, and the same after a restart.
    const prng = seeded(refillSeed(this.#state.seed, round, this.#state.seq));
    const { outcome, chosen } = await this.#ask(
      here,
      (left) => selector.refill!(this.#view(round, left), state, this.#args, prng),
      prng,
    );
    if (outcome.selected.length === 0 && outcome.replaced.length === 0) return false;
    await journal.append({
      type: "clients_added",
      round,
      ...outcome,
      ...groupsOf(chosen, outcome),
      selectorState: chosen.state,
    });
    return outcome.selected.length > 0;
  }

  /** Selects and echoes, anew without the silent ones if nobody has answered. */
  async #ask(
    candidates: readonly Candidate[],
    select: (left: readonly Candidate[]) => Selection<JsonObject> | Promise<Selection<JsonObject>>,
    prng: Prng,
  ): Promise<Asked> {
    let left = candidates;
    let wanted: number | null = null;
    const replaced: EchoOutcome["replaced"][number][] = [];
    for (;;) {
      const chosen = await select(left);
      wanted ??= chosen.train.length;
      const outcome = await this.#echo(chosen, left, prng);
      replaced.push(...outcome.replaced);
      const silent = new Set(outcome.replaced.map(({ client }) => client.id));
      left = left.filter(({ id }) => !silent.has(id));
      if (outcome.selected.length > 0 || silent.size === 0 || left.length === 0) {
        return { outcome: { selected: outcome.selected, replaced }, chosen, wanted };
      }
    }
  }

  async #echo(
    chosen: Selection<JsonObject>,
    candidates: readonly Candidate[],
    prng: Prng,
  ): Promise<EchoOutcome> {
    const { fleet, journal, signal } = this.context;
    const { echo_timeout_s: seconds } = this.#state.config.session_config;
    const isChosen = new Set(chosen.train);
    const isSpare = chosen.spares && new Set(chosen.spares);
    const refs = refsOf(candidates);
    const outcome = await echoSelected(
      refs.filter(({ id }) => isChosen.has(id)),
      refs.filter(({ id }) => !isChosen.has(id) && (isSpare?.has(id) ?? true)),
      prng,
      async (client) => {
        await fleet.link(client.id).echo(journal.id, { signal, deadlineMs: seconds * 1000 });
      },
    );
    signal.throwIfAborted();
    return outcome;
  }

  /** Has clients validate, if the strategy wants it and it was not done for this round. */
  async #validated(view: SelectionView, state: JsonObject): Promise<boolean> {
    const { journal, selector, validate, signal } = this.context;
    const { round, candidates } = view;
    if (selector.validate === undefined || this.#state.validatedFor === round) return false;
    const ids = new Set(await selector.validate(view, state, this.#args));
    const asked = refsOf(candidates).filter(({ id }) => ids.has(id));
    if (asked.length === 0) return false;
    const results = await Promise.all(
      asked.map((client) =>
        validate(client, round).catch((error) => ({
          client,
          evaluation: null,
          reason: messageOf(error),
        }))
      ),
    );
    signal.throwIfAborted();
    await journal.append({ type: "clients_validated", round, results });
    return true;
  }

  /** The same candidates as they are known now. */
  #anew(before: readonly Candidate[]): readonly Candidate[] {
    return before.map((client) => this.context.candidates.withHistory(client));
  }

  #view(round: number, candidates: readonly Candidate[]): SelectionView {
    return {
      round,
      candidates,
      busy: this.context.candidates.busy(),
      updates: this.#state.pending.filter((update) => update.round === round).length,
    };
  }

  #anybodyAtWork(): boolean {
    return Object.keys(this.#state.inFlight).length > 0;
  }
}

function refsOf(clients: readonly Candidate[]): ClientRef[] {
  return clients.map(({ id, name }) => ({ id, name }));
}

/** The groups of those who will train: a replacement has that of the client whose place it takes. */
function groupsOf(
  { groups }: Selection<JsonObject>,
  { selected, replaced }: EchoOutcome,
): { groups?: Record<ClientId, string> } {
  if (groups === undefined) return {};
  const all: Record<ClientId, string> = { ...groups };
  for (const { client, by } of replaced) {
    if (by !== null && all[client.id] !== undefined) all[by.id] = all[client.id]!;
  }
  const kept = [...selected].sort(byName).flatMap(({ id }) =>
    all[id] === undefined ? [] : [[id, all[id]]]
  );
  return { groups: Object.fromEntries(kept) };
}
