/**
 * A session's surroundings without sockets: the real engine, journal, store and in-process
 * transport, with clients whose "training" is a sum that a test can do by hand.
 */
import { aggregators } from "../../src/aggregation/registry.ts";
import { type SessionConfig, sessionConfigSchema } from "../../src/config/session_config.ts";
import { type Clock, systemClock } from "../../src/core/clock.ts";
import { RpcError } from "../../src/core/errors.ts";
import { byName, type ClientId } from "../../src/core/ids.ts";
import type { Benchmark, Evaluation } from "../../src/core/metrics.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import {
  allocateWeights,
  decodeWeights,
  encodeWeights,
  type Layout,
  layoutOf,
} from "../../src/core/weights.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import { silentLogger } from "../../src/log/log.ts";
import { createInProcessTransport, type InProcessCall } from "../../src/rpc/in_process.ts";
import type { EdgeHandlers, FinishedUpdate, TrainJob } from "../../src/rpc/transport.ts";
import { selectors } from "../../src/selection/registry.ts";
import type { StreamItem } from "../../src/session/events.ts";
import type { Fleet, FleetMember } from "../../src/session/fleet.ts";
import type { EngineContext, RunModel } from "../../src/session/run_context.ts";
import { SessionJournal } from "../../src/session/session_journal.ts";
import type { SessionState } from "../../src/session/state.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import type { Store } from "../../src/state/store.ts";
import * as v from "valibot";

/** Two tensors, three floats. */
export const LAYOUT: Layout = layoutOf([{ name: "a", shape: [2] }, { name: "b", shape: [] }]);

export const PACKAGE = modelPackage("sum", { "model.json": new TextEncoder().encode("{}") });

/** A config with the given parts over the defaults. */
export function configOf(parts: {
  readonly session?: Record<string, unknown>;
  readonly server?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
  readonly benchmark?: Record<string, unknown>;
} = {}): SessionConfig {
  const parsed = v.parse(sessionConfigSchema, {
    session_config: { seed: 7, keep_rounds: 1, ...parts.session },
    server_training_config: { num_training_rounds: 2, ...parts.server },
    benchmark_config: parts.benchmark,
    client_training_config: { model_id: "sum", dataset: "D", ...parts.client },
  });
  const { client_selection, client_selection_args } = parsed.session_config;
  const selector = selectors[client_selection as keyof typeof selectors];
  return {
    ...parsed,
    session_config: {
      ...parsed.session_config,
      client_selection_args: v.parse(selector.args, client_selection_args),
    },
  };
}

/** A client that adds `step` to every weight. */
export class SumClient implements EdgeHandlers {
  readonly packages = new Set<string>();
  readonly weights = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly jobs: TrainJob[] = [];
  /** Sessions of which no result is wanted any more. */
  readonly released: string[] = [];
  weightsReceived = 0;
  echoes = 0;

  constructor(
    readonly id: ClientId,
    readonly name: string,
    readonly samples: number,
    readonly step: number,
    /** Stands in for the answer to a job, to be late, wrong or broken. */
    readonly answer?: (
      job: TrainJob,
      honest: () => FinishedUpdate,
      signal: AbortSignal,
    ) => Promise<FinishedUpdate> | FinishedUpdate,
    /** Stand in for the answers to validations and benchmarks. */
    readonly inspected?: {
      readonly validate?: (job: TrainJob, client: SumClient) => Evaluation | Promise<Evaluation>;
      readonly benchmark?: (job: TrainJob, client: SumClient) => Benchmark | Promise<Benchmark>;
    },
  ) {}

  echo(): string {
    this.echoes++;
    return "Ack";
  }

  inventory(asked: { packages: readonly string[]; weights: readonly string[] }) {
    return Promise.resolve({
      packages: asked.packages.filter((hash) => this.packages.has(hash)),
      weights: asked.weights.filter((id) => this.weights.has(id)),
    });
  }

  receiveFile(): Promise<string> {
    throw new Error("not used here");
  }

  receivePackage({ hash }: { readonly hash: string }): Promise<void> {
    this.packages.add(hash);
    return Promise.resolve();
  }

  async receiveWeights(id: string, size: number, pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const bytes = new Uint8Array(size);
    let at = 0;
    for await (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    this.weightsReceived += at;
    this.weights.set(id, bytes);
  }

  async train(job: TrainJob, onProgress: unknown, signal: AbortSignal): Promise<FinishedUpdate> {
    this.jobs.push(job);
    (onProgress as (p: unknown) => void)({ batchesDone: 1, batchesTotal: 1, loss: 0.5 });
    const honest = () => this.honest(job);
    return await (this.answer?.(job, honest, signal) ?? honest());
  }

  async validate(job: TrainJob): Promise<Evaluation> {
    return await (this.inspected?.validate?.(job, this) ??
      { loss: 0.5, accuracy: 0.5, samples: 5 });
  }

  async benchmark(job: TrainJob): Promise<Benchmark> {
    return await (this.inspected?.benchmark?.(job, this) ?? { miniBatches: 10, seconds: 1 });
  }

  release(session: string): Promise<void> {
    this.released.push(session);
    return Promise.resolve();
  }

  /** The update that the job asks for. */
  honest(job: TrainJob): FinishedUpdate {
    const { layout, values } = decodeWeights(this.weights.get(job.weights)!);
    return updateOf(layout, values.map((value) => value + this.step), this.samples);
  }
}

/** An update with the given values and an honest header. */
export function updateOf(
  layout: Layout,
  values: Float32Array<ArrayBuffer>,
  samples: number,
): FinishedUpdate {
  const { bytes } = encodeWeights({ layout, values });
  const metrics = {
    loss: 0.5,
    accuracy: 0.75,
    test: null,
    epochs: 1,
    miniBatches: 1,
    trainSeconds: 0.1,
  };
  return { header: { weights: weightsId(bytes), bytes: bytes.length, samples, metrics }, bytes };
}

/** Everything that a run needs, and what it leaves. */
export interface World {
  readonly context: EngineContext;
  readonly model: RunModel;
  readonly store: Store;
  readonly journal: SessionJournal;
  /** What followers saw. */
  readonly seen: StreamItem[];
  /** States handed over to be saved, the last one at the end. */
  readonly saved: SessionState[];
  readonly fleet: TestFleet;
}

/** Options of {@link createWorld}. */
export interface WorldOptions {
  readonly config?: SessionConfig;
  readonly clients: readonly SumClient[];
  readonly clock?: Clock;
  readonly store?: Store;
  /** Opens the journal of this session in the store, instead of a new one. */
  readonly resume?: string;
  readonly before?: (call: InProcessCall) => void | Promise<void>;
  readonly validate?: RunModel["validate"];
  /** @default {0} a lost client has no time to come back */
  readonly returnMs?: number;
  /** Weights that another session needs. */
  readonly neededElsewhere?: readonly string[];
}

/** A world with these clients in its fleet. */
export async function createWorld(options: WorldOptions): Promise<World> {
  const { clients, clock = systemClock, store = openMemoryStore(() => clock.epochMs()) } = options;
  const fleet = new TestFleet(clients, clock, options.before);
  const session = options.resume ?? crypto.randomUUID();
  const config = options.config ?? configOf();
  const journal = options.resume === undefined
    ? await SessionJournal.begin(store, clock, {
      type: "session_submitted",
      session,
      config,
      seed: config.session_config.seed!,
      model: { id: PACKAGE.id, hash: PACKAGE.hash, blob: "none" },
    })
    : (await SessionJournal.open(store, clock, session))!;
  const seen: StreamItem[] = [];
  const follow = async () => {
    for await (const item of journal.follow(0, AbortSignal.timeout(60_000))) seen.push(item);
  };
  void follow();
  const saved: SessionState[] = [];
  const { aggregator, client_selection: selector } = config.session_config;
  const context: EngineContext = {
    journal,
    fleet,
    selector: selectors[selector as keyof typeof selectors],
    aggregator: aggregators[aggregator as keyof typeof aggregators],
    clock,
    logger: silentLogger,
    longestCallMs: 60_000,
    returnMs: options.returnMs ?? 0,
    isNeededElsewhere: (weights) => options.neededElsewhere?.includes(weights) ?? false,
    saveResults(state) {
      saved.push(state);
      return Promise.resolve();
    },
  };
  const model: RunModel = {
    modelPackage: PACKAGE,
    initialWeights: () => Promise.resolve(allocateWeights(LAYOUT).bytes),
    validate: options.validate ?? null,
  };
  return { context, model, store, journal, seen, saved, fleet };
}

/** A fleet whose members a test adds and removes. */
export class TestFleet implements Fleet {
  readonly training = new Map<ClientId, boolean>();
  readonly #clients: SumClient[];
  readonly #transport;
  readonly #waiters = new Set<() => void>();

  constructor(
    clients: readonly SumClient[],
    clock: Clock,
    before?: (call: InProcessCall) => void | Promise<void>,
  ) {
    this.#clients = [...clients];
    this.#transport = createInProcessTransport({
      find: (id) => this.#clients.find((client) => client.id === id),
      clock,
      ...(before === undefined ? {} : { before }),
    });
  }

  join(client: SumClient): void {
    this.#clients.push(client);
    for (const wake of [...this.#waiters]) wake();
  }

  holding(dataset: string): FleetMember[] {
    if (dataset !== "D") return [];
    return this.#clients
      .map(({ id, name, samples }) => ({ id, name, samples, labelDistribution: null }))
      .sort(byName);
  }

  activeCount(): number {
    return this.#clients.length;
  }

  nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      this.#waiters.add(resolve);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  link(client: ClientId) {
    if (!this.#clients.some(({ id }) => id === client)) {
      throw new RpcError("unavailable", `no ${client}`);
    }
    return this.#transport.connect(client, { sync: client, async: client });
  }

  setTraining(client: ClientId, training: boolean): void {
    this.training.set(client, training);
  }
}
