/**
 * How fast each client trains, measured before it is first selected, for the strategies that sort
 * clients by it. A measurement is kept beyond the run, by client, model package and batch size.
 */
import { wantsBenchmarks } from "../config/benchmark_section.ts";
import { messageOf } from "../core/errors.ts";
import type { ClientId, ClientRef } from "../core/ids.ts";
import type { Benchmark } from "../core/metrics.ts";
import type { TrainJob } from "../rpc/transport.ts";
import type { Candidates } from "./candidates.ts";
import { historyOf } from "./client_history.ts";
import type { ClientBenchmarked } from "./events.ts";
import type { EngineContext } from "./run_context.ts";
import type { SessionState } from "./state.ts";

/** What benchmarks need from the loop. */
export interface BenchmarkContext extends Pick<EngineContext, "journal" | "fleet" | "selector"> {
  readonly candidates: Candidates;
  /** The job by which a client is measured. */
  jobFor(client: ClientRef): TrainJob;
  /** Measures a client. @throws {RpcError} */
  measure(client: ClientRef, job: TrainJob): Promise<Benchmark>;
  /** Takes each result, and must call {@link Benchmarks.done} once it is journalled. */
  answer(event: ClientBenchmarked): void;
}

/** The benchmarks of one run. */
export class Benchmarks {
  readonly #underWay = new Map<ClientId, Promise<void>>();

  constructor(readonly context: BenchmarkContext) {}

  get #state(): SessionState {
    return this.context.journal.state;
  }

  /** Whether this run measures its clients at all. */
  get wanted(): boolean {
    return wantsBenchmarks(this.#state.config, this.context.selector.usesSpeed ?? false);
  }

  /** Starts to measure idle clients that were not; until then they are not selected. */
  start(clients: readonly ClientRef[]): void {
    for (const { id, name } of clients) {
      const isKnown = historyOf(this.#state.clients, id).benchmark !== undefined;
      if (isKnown || this.#underWay.has(id)) continue;
      this.context.candidates.reserve(id);
      this.#underWay.set(id, this.#run({ id, name }));
    }
  }

  /**
   * Whether a round has to wait for benchmarks: the first one, so that all are measured, and one
   * that would have nobody else.
   */
  mustWait(): boolean {
    if (this.#underWay.size === 0) return false;
    return this.#state.rounds.length === 0 || this.context.candidates.nobodyElse();
  }

  /** The result of this client is journalled. */
  done({ client }: ClientBenchmarked): void {
    this.#underWay.delete(client.id);
    this.context.candidates.release(client.id);
  }

  /** Resolves when none goes on, after the run's signal has aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  async #run(client: ClientRef): Promise<void> {
    const { journal: { store: { records } }, fleet, jobFor, measure, answer } = this.context;
    const job = jobFor(client);
    const key = `benchmark/${client.id}/${job.packageHash}/${job.options.batchSize}`;
    try {
      const kept = await records.get(key) as Benchmark | null;
      if (kept !== null) {
        return answer({ type: "client_benchmarked", client, benchmark: kept, reason: null });
      }
      fleet.setTraining(client.id, true);
      const { miniBatches, seconds } = await measure(client, job);
      const benchmark = { miniBatches, seconds };
      await records.set(key, benchmark);
      answer({ type: "client_benchmarked", client, benchmark, reason: null });
    } catch (error) {
      const reason = messageOf(error);
      answer({ type: "client_benchmarked", client, benchmark: null, reason });
    } finally {
      fleet.setTraining(client.id, false);
    }
  }
}
