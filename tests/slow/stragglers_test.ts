/**
 * What asynchronous, tiered and clustered strategies are for, on a real federation with stragglers.
 * Ratios only: how long anything takes is up to the machine. `deno task test:slow`.
 */
import assert from "node:assert/strict";
import { type ConfigParts, Fleet, SLOWDOWN } from "../../bench/strategies/fleet.ts";
import type { Outcome } from "../../bench/strategies/outcome.ts";
import { MEASURED, STRATEGIES } from "../../bench/strategies/strategies.ts";

/** Each comparison is of sums over runs with these seeds, as one run may be lucky. */
const SEEDS = [1, 2, 3];
/** Seconds of wall time after which a run has missed the 90 %. */
const LONGEST_RUN = 180;

/** Mean seconds of wall time until a strategy has reached 90 %. */
async function secondsToNinety(fleet: Fleet, name: keyof typeof STRATEGIES): Promise<number> {
  const all: number[] = [];
  for (const seed of SEEDS) {
    const budget = { seconds: LONGEST_RUN, untilNinety: true };
    const { secondsToNinety, accuracy } = await fleet.run(name, STRATEGIES[name], budget, seed);
    assert.ok(secondsToNinety !== null, `${name} came to ${accuracy} in ${LONGEST_RUN} s`);
    all.push(secondsToNinety);
  }
  console.log(`${name}: 90 % after ${all.map((one) => one.toFixed(1)).join(", ")} s`);
  return mean(all);
}

/** Mean accuracy of the last four of so many rounds. */
async function accuracyAfter(fleet: Fleet, rounds: number, name: string, parts: ConfigParts) {
  const all: number[] = [];
  for (const seed of SEEDS) {
    const { evaluated }: Outcome = await fleet.run(name, parts, { rounds }, seed);
    assert.equal(evaluated.length, rounds);
    all.push(mean(evaluated.slice(-4).map(({ accuracy }) => accuracy)));
  }
  console.log(`${name}: ${all.map((one) => (one * 100).toFixed(2)).join(", ")} %`);
  return mean(all);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

Deno.test("asynchronous and tiered runs are at 90 % sooner than FedAvg where some are slow", async () => {
  await using fleet = await Fleet.start({ alpha: 0.3, slowdown: SLOWDOWN });
  const fedavg = await secondsToNinety(fleet, "fedavg");
  const fedasync = await secondsToNinety(fleet, "fedasync");
  assert.ok(fedavg / fedasync >= 1.8, `FedAsync is ${fedavg / fedasync} times as fast as FedAvg`);
  const fedat = await secondsToNinety(fleet, "fedat");
  assert.ok(fedat < fedavg, `FedAT takes ${fedat} s, FedAvg ${fedavg} s`);
  const tifl = await secondsToNinety(fleet, "tifl");
  assert.ok(tifl < fedavg, `TiFL takes ${tifl} s, FedAvg ${fedavg} s`);
});

Deno.test("HACCS is at least as accurate as a random selection after equally many rounds", async () => {
  await using fleet = await Fleet.start({ alpha: 0.3, slowdown: 1 });
  const of = (client_selection: string, args = {}) => ({
    ...MEASURED,
    session_config: { client_selection, client_selection_args: { client_fraction: 0.5, ...args } },
  });
  const random = await accuracyAfter(fleet, 16, "random", of("random"));
  // Speed is no gain where rounds are counted, so clusters are drawn by their loss alone.
  const args = { num_tiers: 10, loss_latency_tradeoff_param: 0 };
  const haccs = await accuracyAfter(fleet, 16, "haccs", of("haccs", args));
  assert.ok(haccs >= random, `HACCS is at ${haccs}, random at ${random}`);
});

Deno.test("FedProx is no worse than FedAvg where clients have few labels each", async () => {
  await using fleet = await Fleet.start({ alpha: 0.1, slowdown: 1 });
  const of = (proximal_mu: number) => ({
    ...STRATEGIES.fedavg,
    // Far from the global weights there is something to pull back from.
    client_training_config: { proximal_mu, epochs: 4, max_mini_batches: 128 },
  });
  const fedavg = await accuracyAfter(fleet, 16, "fedavg", of(0));
  const fedprox = await accuracyAfter(fleet, 16, "fedprox", of(0.01));
  // Half a point is what chance leaves of three runs each.
  assert.ok(fedprox >= fedavg - 0.005, `FedProx is at ${fedprox}, FedAvg at ${fedavg}`);
});
