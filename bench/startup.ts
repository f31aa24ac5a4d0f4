/** How soon the commands are there, and what they weigh at rest and at work. */
import { V8_FLAGS } from "../tools/project.ts";
import { makeDemoData } from "../tools/demo_data.ts";
import { Federation } from "../tests/fixtures/federation.ts";
import { hostSpeed } from "./host_speed.ts";
import { median, MemoryWatch, residentBytes } from "./processes.ts";
import { quickstart } from "./quickstart.ts";
import { report } from "./report.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;

/** Median milliseconds of a command that ends by itself. */
async function milliseconds(args: readonly string[], times = 7): Promise<number> {
  const runs: number[] = [];
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-A", V8_FLAGS, MAIN, ...args],
      stdout: "null",
    })
      .output();
    runs.push(performance.now() - start);
  }
  return median(runs);
}

/** Milliseconds from the start of a server to its first answer. */
async function serverStart(): Promise<number> {
  const folder = await Deno.makeTempDir();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = listener.addr.port;
  listener.close();
  const start = performance.now();
  const server = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "-A",
      V8_FLAGS,
      MAIN,
      "server",
      "--rest-port",
      `${port}`,
      "--mqtt-broker",
      "embedded",
    ]
      .concat(["--mqtt-port", `${port + 1}`]),
    cwd: folder,
    stderr: "null",
  }).spawn();
  for (;;) {
    try {
      const response = await fetch(`http://localhost:${port}/healthz`);
      await response.body?.cancel();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
  const passed = performance.now() - start;
  server.kill("SIGTERM");
  await server.status;
  await Deno.remove(folder, { recursive: true });
  return passed;
}

/** Measures and prints. */
export async function startup(): Promise<void> {
  const starts: number[] = [];
  for (let i = 0; i < 5; i++) starts.push(await serverStart());
  report({
    what: "server: start to first REST answer",
    value: median(starts),
    unit: "ms",
    bar: 800,
  });
  report({
    what: "flotilla session --help",
    value: await milliseconds(["session", "--help"]),
    unit: "ms",
    bar: 300,
  });

  const data = await Deno.makeTempDir();
  await makeDemoData({ clients: 2, items: 6000, out: data, seed: 1 }, () => {});
  {
    await using federation = await Federation.start({ leaderData: `${data}/leader` });
    const first = await federation.startClient(1, `${data}/part_1`);
    await federation.startClient(2, `${data}/part_2`);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const { pid } = federation.server.process;
    const idle = [residentBytes(pid), residentBytes(first.process.pid)] as const;
    report({
      what: "server at rest, embedded broker and SQLite",
      value: idle[0] / 1e6,
      unit: "MB",
      bar: 120,
    });
    report({
      what: "client before its first training",
      value: idle[1] / 1e6,
      unit: "MB",
      bar: 110,
    });
    using watch = new MemoryWatch(first.process.pid);
    const session = await federation.session(quickstart());
    if (await session.exitCode(120_000) !== 0) throw new Error(session.printed());
    report({
      what: "client while it trains the demo's model",
      value: watch.peak / 1e6,
      unit: "MB",
      bar: 150,
    });
    const { rounds, seconds, final } = await federation.results();
    report({
      ...{ what: "session of the demo's model, 5 rounds", value: seconds, unit: "s", bar: 4 },
      speed: await hostSpeed(2),
    });
    report({
      what: "accuracy of the demo's model",
      value: final.validation.accuracy * 100,
      unit: "%",
      bar: 97,
      moreIsBetter: true,
    });
    const overheads = rounds.slice(1).map((round: QuickRound) =>
      round.seconds * 1000 - Math.max(...round.updates.map((update) => update.train_seconds * 1000))
    );
    console.log(
      `  session of the demo's model: rounds of ${
        rounds.map((round: QuickRound) => round.seconds.toFixed(2)).join(", ")
      } s; beyond training ${overheads.map((ms: number) => ms.toFixed(0)).join(", ")} ms`,
    );
  }
  await Deno.remove(data, { recursive: true });
}

interface QuickRound {
  readonly seconds: number;
  readonly updates: readonly { readonly train_seconds: number }[];
}
