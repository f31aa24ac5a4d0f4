/** `deno task bench [NAME...]`: all benchmarks one after another, or the named ones. */
import { aggregation } from "./aggregation.ts";
import { durability } from "./durability.ts";
import { eager } from "./eager.ts";
import { echoRounds } from "./echo_rounds.ts";
import { firstStep } from "./first_step.ts";
import { kernels } from "./kernels.ts";
import { smallClients } from "./small_clients.ts";
import { startup } from "./startup.ts";

const BENCHMARKS = {
  aggregation,
  startup,
  "first-step": firstStep,
  "echo-rounds": echoRounds,
  "small-clients": smallClients,
  kernels,
  eager,
  durability,
};

const names = Deno.args.length > 0 ? Deno.args : Object.keys(BENCHMARKS);
for (const name of names) {
  const benchmark = (BENCHMARKS as Record<string, (() => Promise<void>) | undefined>)[name];
  if (benchmark === undefined) {
    console.error(`No benchmark "${name}": ${Object.keys(BENCHMARKS).join(", ")}`);
    Deno.exit(2);
  }
  await benchmark();
}
