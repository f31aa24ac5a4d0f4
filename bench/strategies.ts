/**
 * `deno task bench:strategies [--seconds S] [--out NAME] [--seed N] [STRATEGY...]`: every strategy,
 * or the named ones, for an equal time on a fleet with stragglers. Prints a table, and writes
 * NAME.svg and NAME.html with accuracy against time and bytes.
 */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { printRows } from "../src/cli/print_rows.ts";
import { bytesText, countText, percentText } from "../src/cli/quantities.ts";
import { ExitCode } from "../src/core/errors.ts";
import { pageHtml, pageSvg } from "../src/plot/page.ts";
import { CLIENTS, Fleet, SLOWDOWN } from "./strategies/fleet.ts";
import type { Outcome } from "./strategies/outcome.ts";
import { strategiesPage } from "./strategies/page.ts";
import { STRATEGIES, type StrategyName } from "./strategies/strategies.ts";

const ALPHA = 0.3;
const TITLES = ["STRATEGY", "TO 90 %", "ACCURACY", "ROUNDS", "UPDATES", "BYTES"] as const;

function cells({ name, secondsToNinety, accuracy, rounds, updates, bytes }: Outcome): string[] {
  return [
    name,
    secondsToNinety === null ? "-" : `${secondsToNinety.toFixed(1)} s`,
    percentText(accuracy),
    countText(rounds),
    countText(updates),
    bytesText(bytes),
  ];
}

/** The strategies to run. @throws {Error} there is none of this name */
function named(names: readonly string[]): StrategyName[] {
  const all = Object.keys(STRATEGIES) as StrategyName[];
  const unknown = names.find((name) => !Object.hasOwn(STRATEGIES, name));
  if (unknown !== undefined) throw new Error(`No strategy "${unknown}": ${all.join(", ")}`);
  return names.length === 0 ? all : names as StrategyName[];
}

/** Flags and names. @throws {Error} they are not understood */
function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: "string", default: "30" },
      out: { type: "string", default: "dist/strategies" },
      seed: { type: "string", default: "1" },
    },
  });
  const seconds = Number(values.seconds);
  const seed = Number(values.seed);
  if (!(seconds > 0 && Number.isFinite(seconds))) throw new Error("--seconds must be above 0");
  if (!Number.isInteger(seed) || seed < 0) throw new Error("--seed must be a whole number from 0");
  return { seconds, seed, out: values.out, names: named(positionals) };
}

async function benchStrategies(given: ReturnType<typeof readArguments>): Promise<void> {
  const { seconds, seed, out, names } = given;
  const title = `MNIST by Dirichlet(${ALPHA}) on ${CLIENTS} clients, 4 of them 4 times as slow: ` +
    `${seconds} s each`;
  console.log(title);
  await using fleet = await Fleet.start({ alpha: ALPHA, slowdown: SLOWDOWN, seed });
  const outcomes: Outcome[] = [];
  for (const name of names) {
    outcomes.push(await fleet.run(name, STRATEGIES[name], { seconds }, seed));
    console.log(cells(outcomes.at(-1)!).join("  "));
  }
  console.log();
  const columns = TITLES.map((title, i) => ({ title, align: i === 0 ? "left" : "right" } as const));
  printRows(columns, outcomes, cells, { json: false, none: "" });
  const page = strategiesPage(title, outcomes, [TITLES, ...outcomes.map(cells)]);
  mkdirSync(dirname(out), { recursive: true });
  await Deno.writeTextFile(`${out}.svg`, pageSvg(page));
  await Deno.writeTextFile(`${out}.html`, pageHtml(page));
  console.log(`\n${out}.svg\n${out}.html`);
}

if (import.meta.main) {
  let given: ReturnType<typeof readArguments>;
  try {
    given = readArguments();
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(ExitCode.usage);
  }
  await benchStrategies(given);
}
