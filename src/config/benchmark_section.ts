/** When clients are benchmarked before they train. */
import type { SessionConfig } from "./session_config.ts";
import { isStrategyFile } from "./strategy_files.ts";

/** What decides it. */
export interface BenchmarkChoice {
  readonly benchmark_config: Pick<
    SessionConfig["benchmark_config"],
    "skip_benchmark" | "timeout_duration_s" | "bench_minibatch_count"
  >;
}

/**
 * Whether a run benchmarks its clients: if `skip_benchmark` does not say, when the config says how
 * long one takes and the client selection makes use of it.
 *
 * @param usesSpeed whether the client selection asks how fast clients are
 */
export function wantsBenchmarks(
  { benchmark_config: bench }: BenchmarkChoice,
  usesSpeed: boolean,
): boolean {
  const isLimited = bench.timeout_duration_s !== null || bench.bench_minibatch_count !== null;
  return bench.skip_benchmark === null ? isLimited && usesSpeed : !bench.skip_benchmark;
}

/** Whether a client selection asks how fast clients are; of a user's own that is not known. */
export function goesBySpeed(
  name: string,
  selectors: Readonly<Record<string, { readonly usesSpeed?: boolean }>>,
): boolean {
  return isStrategyFile(name) || (selectors[name]?.usesSpeed ?? false);
}
