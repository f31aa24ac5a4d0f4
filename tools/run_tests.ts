/**
 * `deno task test [ARGS]`: gets the programs that some tests need, runs every test of `tests/` or
 * the files and flags given, and closes with the true counts alone on a line.
 */
import {
  installedProgram,
  installHint,
  MOSQUITTO,
  obtainProgram,
  REDIS,
  SOFTWARE_VULKAN,
} from "./installed_program.ts";
import { projectRoot, V8_FLAGS } from "./project.ts";

/** How many tests ended how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * The counts of the summary that `deno test` prints last, such as
 * `FAILED | 10 passed (3 steps) | 1 failed | 2 ignored (1s)`; null if there is none.
 */
export function countsIn(output: string): Counts | null {
  // deno-lint-ignore no-control-regex -- the colours of a terminal
  const plain = output.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const summary = [...plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed.*$/gm)].at(-1);
  if (summary === undefined) return null;
  const count = (what: string) => Number(summary[0].match(`(\\d+) ${what}`)?.[1] ?? 0);
  return { passed: Number(summary[1]), failed: count("failed"), skipped: count("ignored") };
}

/** The closing line: `3 passed, 0 failed`, with the skipped ones if there are any. */
export function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped === 0 ? "" : `, ${skipped} skipped`}`;
}

/** Those that Flotilla is started with, but for a young generation that suits a process so large. */
const TEST_FLAGS = V8_FLAGS.replace("--max-semi-space-size=1,", "");

/** Tests of whole systems wait for them much of the time, so the others run beside them. */
const SYSTEMS = ["tests/chaos", "tests/e2e"];

/**
 * Arguments of each `deno test` that is to run; tests that take many minutes run only when they are
 * asked for, and types are checked by `deno check`, which is faster for all at once.
 */
export function testRuns(given: readonly string[]): string[][] {
  const hasFiles = given.some((argument) =>
    argument.endsWith(".ts") || argument.startsWith("tests")
  );
  if (hasFiles) return [testArguments(given)];
  return [testArguments([...given, "tests/"], SYSTEMS), testArguments([...given, ...SYSTEMS])];
}

function testArguments(given: readonly string[], elsewhere: readonly string[] = []): string[] {
  const isSlow = given.some((argument) => argument.startsWith("tests/slow"));
  const ignored = ["data", "runs", "dist", "bench", ...isSlow ? [] : ["tests/slow"], ...elsewhere];
  return ["test", "-q", "-A", TEST_FLAGS, "--no-check", `--ignore=${ignored.join()}`, ...given];
}

/** How a run ended. */
interface Outcome {
  readonly code: number;
  readonly counts: Counts;
}

/** Runs tests and passes on what they print, nothing of it before `turn`. */
async function runTests(args: readonly string[], turn: Promise<unknown>): Promise<Outcome> {
  const process = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: projectRoot,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let tail = "";
  let printed: Promise<unknown> = turn;
  const decoder = new TextDecoder();
  for await (const bytes of process.stdout) {
    printed = printed.then(() => Deno.stdout.write(bytes));
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-10_000);
  }
  const { code } = await process.status;
  await printed;
  const counts = countsIn(tail) ?? { passed: 0, failed: 0, skipped: 0 };
  // A file that does not load, or a crash, is a failure that no test stands for.
  return { code, counts: code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts };
}

/** The counts of all runs together. */
export function sumOf(counts: readonly Counts[]): Counts {
  const sum = (name: keyof Counts) => counts.reduce((total, own) => total + own[name], 0);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped") };
}

if (import.meta.main) {
  for (const program of [MOSQUITTO, REDIS, SOFTWARE_VULKAN]) {
    await obtainProgram(program);
    if (installedProgram(program) === null) {
      console.log(`${installHint(program)}; the tests that need it are skipped`);
    }
  }
  const runs: Promise<Outcome>[] = [];
  for (const args of testRuns(Deno.args)) {
    runs.push(runTests(args, runs.at(-1) ?? Promise.resolve()));
  }
  const outcomes = await Promise.all(runs);
  const counts = sumOf(outcomes.map(({ counts }) => counts));
  console.log(closingLine(counts));
  Deno.exit(outcomes.every(({ code }) => code === 0) && counts.failed === 0 ? 0 : 1);
}
