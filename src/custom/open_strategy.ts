/** A user's strategy as the engine uses one: what it answers is checked before it counts. */
import type { Aggregator } from "../aggregation/aggregator.ts";
import { ConfigError, SessionFailedError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type { EventualSelector, Selection, SelectionView } from "../selection/selector.ts";
import * as v from "valibot";
import type { CustomStrategy, StrategyKind } from "./custom_strategy.ts";
import { type HostOptions, StrategyError, StrategyHost } from "./strategy_host.ts";
import type { CallName } from "./protocol.ts";

/** The function without which a file is no strategy of a kind. */
const NEEDED: Readonly<Record<StrategyKind, string>> = {
  aggregator: "aggregate",
  client_selection: "select",
};

const anyArgs = v.custom<JsonObject>(() => true);

/**
 * Opens a strategy whose code runs in a worker without permissions.
 *
 * @param file how messages name it; its ending tells TypeScript from JavaScript
 */
export function openStrategy(
  file: string,
  code: string,
  options: HostOptions = {},
): CustomStrategy {
  return new WorkerStrategy(new StrategyHost(file, code, options));
}

class WorkerStrategy implements CustomStrategy {
  #exports: ReadonlySet<string> = new Set();

  constructor(readonly host: StrategyHost) {}

  async check(kind: StrategyKind): Promise<void> {
    try {
      this.#exports = new Set(await this.host.exports());
    } catch (error) {
      if (!(error instanceof StrategyError)) throw error;
      throw this.#unusable(kind, `cannot be loaded: ${error.reason}`);
    }
    if (this.#exports.has(NEEDED[kind])) return;
    throw this.#unusable(
      kind,
      `exports no function ${NEEDED[kind]}: "flotilla new strategy NAME" writes one to start from`,
    );
  }

  #unusable(kind: StrategyKind, reason: string): ConfigError {
    return new ConfigError(reason, { file: this.host.file, key: `session_config.${kind}` });
  }

  selector(): EventualSelector<JsonObject, JsonObject> {
    const seedOf = (prng: () => number) => Math.floor(prng() * 2 ** 32);
    const select = async (
      name: "select" | "refill",
      view: SelectionView,
      state: JsonObject,
      args: JsonObject,
      seed: number,
    ) => this.#checkedSelection(await this.#ask(name, { view, state, args, seed }), view, name);
    return {
      args: anyArgs,
      // What its code looks at is not known.
      usesSpeed: true,
      initial: (args) => this.#initial(args),
      select: (view, state, args, prng) => select("select", view, state, args, seedOf(prng)),
      ...(this.#exports.has("refill") && {
        refill: (view, state, args, prng) => select("refill", view, state, args, seedOf(prng)),
      }),
      ...(this.#exports.has("validate") && {
        validate: async (view, state, args) => {
          const ids = await this.#ask("validate", { view, state, args });
          return this.#checkedIds(ids, view, "validate");
        },
      }),
    };
  }

  aggregator(): Aggregator<JsonObject, JsonObject> {
    return {
      args: anyArgs,
      initial: (args) => this.#initial(args),
      ready: async (standing, args) => {
        if (!this.#exports.has("ready")) {
          return standing.inFlight.length === 0 ? standing.updates : null;
        }
        const ready = await this.#ask("ready", { standing, args });
        if (ready === null || Array.isArray(ready)) return ready;
        throw this.#wrong("ready", "it returns neither updates nor null");
      },
      aggregate: async ({ global, read, readKept, keep, ...input }, args, result) => {
        const { layout } = global;
        const { state, values } = await this.#ask(
          "aggregate",
          { ...input, layout, global: global.values.slice(), args },
          {
            read: (of, start, end) =>
              typeof of === "string" ? readKept(of, start, end) : read(of, start, end),
            keep: (name, kept) => {
              this.#checkWeights(kept, result.length, "keep");
              return keep(name, kept);
            },
          },
        );
        this.#checkWeights(values, result.length, "aggregate");
        this.#checkState(state, "aggregate");
        result.set(values);
        return state;
      },
    };
  }

  close(): void {
    this.host.close();
  }

  async #initial(args: JsonObject): Promise<JsonObject> {
    if (!this.#exports.has("initial")) return {};
    const state = await this.#ask("initial", { args });
    this.#checkState(state, "initial");
    return state;
  }

  /** What goes wrong in a run ends that run, not the leader. */
  async #ask<K extends CallName>(...call: Parameters<typeof this.host.call<K>>) {
    try {
      return await this.host.call<K>(...call);
    } catch (error) {
      throw error instanceof StrategyError ? new SessionFailedError(error.message) : error;
    }
  }

  #checkedSelection(
    given: Selection<JsonObject>,
    view: SelectionView,
    name: "select" | "refill",
  ): Selection<JsonObject> {
    const { train, state = {}, ...rest } = given ?? {};
    this.#checkState(state, name);
    return { ...rest, train: this.#checkedIds(train, view, name), state };
  }

  #checkedIds(ids: unknown, { candidates }: SelectionView, name: string): readonly string[] {
    if (!Array.isArray(ids)) throw this.#wrong(name, "it returns no list of client ids");
    const known = new Set(candidates.map(({ id }) => id));
    const stranger = ids.find((id) => !known.has(id));
    if (stranger !== undefined) {
      throw this.#wrong(name, `${JSON.stringify(stranger)} is the id of no candidate`);
    }
    if (new Set(ids).size < ids.length) throw this.#wrong(name, "it names a client twice");
    return ids;
  }

  #checkState(state: unknown, name: string): void {
    // The journal keeps it as JSON.
    if (typeof state !== "object" || state === null || Array.isArray(state)) {
      throw this.#wrong(name, "its state is no object");
    }
    if (!isJson(state)) throw this.#wrong(name, "its state holds what JSON cannot, such as NaN");
  }

  #checkWeights(values: unknown, expected: number, name: string): void {
    if (!(values instanceof Float32Array)) throw this.#wrong(name, "it gives no Float32Array");
    if (values.length !== expected) {
      throw this.#wrong(name, `it gives ${values.length} weights where the model has ${expected}`);
    }
    const bad = values.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw this.#wrong(name, `weight ${bad} is ${values[bad]}`);
  }

  #wrong(name: string, reason: string): SessionFailedError {
    return new SessionFailedError(
      `Cannot use what ${name}() of the strategy ${this.host.file} gives: ${reason}`,
    );
  }
}

function isJson(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "object" && !ArrayBuffer.isView(value) &&
    Object.values(value).every(isJson);
}
