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

/**
 * Arguments of `deno test`; tests that take many minutes run only when they are asked for, and types are checked by `deno check`, which is
 * faster for all at once.
 */
export function testArguments(given: readonly string[]): string[] {
  const files = given.some((argument) => argument.endsWith(".ts") || argument.startsWith("tests"));
  const isSlow = given.some((argument) => argument.startsWith("tests/slow"));
  const ignored = ["data", "runs", "dist", "bench", ...isSlow ? [] : ["tests/slow"]].join();
  return ["test", "-q", "-A", TEST_FLAGS, "--no-check", `--ignore=${ignored}`, ...given]
    .concat(files ? [] : ["tests/"]);
}

async function runTests(given: readonly string[]): Promise<{ code: number; counts: Counts }> {
  const process = new Deno.Command(Deno.execPath(), {
    args: testArguments(given),
    cwd: projectRoot,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const bytes of process.stdout) {
    await Deno.stdout.write(bytes);
    tail = (tail + decoder.decode(bytes, { stream: true })).slice(-10_000);
  }
  const { code } = await process.status;
  const counts = countsIn(tail) ?? { passed: 0, failed: 0, skipped: 0 };
  // A file that does not load, or a crash, is a failure that no test stands for.
  return { code, counts: code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts };
}

if (import.meta.main) {
  for (const program of [MOSQUITTO, REDIS, SOFTWARE_VULKAN]) {
    await obtainProgram(program);
    if (installedProgram(program) === null) {
      console.log(`${installHint(program)}; the tests that need it are skipped`);
    }
  }
  const { code, counts } = await runTests(Deno.args);
  console.log(closingLine(counts));
  Deno.exit(code === 0 && counts.failed === 0 ? 0 : 1);
}
