/** `--monitor`, `generate_plots` and `flotilla plot`, on real runs. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Federation } from "../fixtures/federation.ts";
import { makeMnist, runConfig } from "./mnist.ts";

const data = await makeMnist(2, 400);
/** Rounds that take some seconds together, so that there are samples of each. */
const TRAINING = { epochs: 20, batch_size: 8 };

const ASYNCHRONOUS = {
  session_id: "asynchronous",
  aggregator: "fedasync",
  client_selection: "fedasync",
};

Deno.test("flotilla plot draws measured runs, one and several, by themselves and on command", async (t) => {
  await using federation = await Federation.start({
    leaderData: data.leader,
    serverArgs: ["--monitor"],
  });
  for (const n of [1, 2]) await federation.startClient(n, data.part(n), "--monitor");
  const run = async (session: Record<string, unknown>, rounds: number) => {
    const config = { session, server: { num_training_rounds: rounds }, client: TRAINING };
    const program = await federation.session(runConfig(config));
    assert.equal(await program.exitCode(), 0, program.printed());
    return program.stdout.match(/^session (\S+)/)![1]!;
  };
  const first = await run({ session_id: "plain", generate_plots: true }, 3);
  const second = await run(ASYNCHRONOUS, 4);
  const folder = await federation.runFolder(first);
  const other = await federation.runFolder(second);

  await t.step("--monitor leaves samples of the run, and their summary", async () => {
    const csv = await Deno.readTextFile(join(folder, "resources.csv"));
    const [titles, ...rows] = csv.trim().split("\n").map((line) => line.split(","));
    assert(rows.length >= 1, csv);
    const cpu = titles!.indexOf("cpu_percent");
    assert(rows.some((row) => Number(row[cpu]) > 0), csv);
    const { resources } = await federation.results(first);
    assert.equal(resources.samples, rows.length);
    assert(resources.rss_bytes.most > 2 ** 24, JSON.stringify(resources));
    const client = await Deno.readTextFile(join(federation.folder, "temp_2", "resources.csv"));
    assert.equal(client.split("\n")[0], csv.split("\n")[0]);
  });

  await t.step("generate_plots leaves the page of the run, and no other run has one", async () => {
    const svg = await readPage(join(folder, "plot"));
    assert.match(svg, />Run plain<\/text>/);
    assert(!existsSync(join(other, "plot.html")));
  });

  await t.step("several runs are on one page, with what clients used", async () => {
    const program = federation.run([
      ...["plot", first.slice(0, 8), other, "--out", "both"],
      ...["--resources", "temp_1/resources.csv", "temp_2/resources.csv"],
    ]);
    assert.equal(await program.exitCode(), 0, program.printed());
    assert.equal(program.stdout, "both.html\nboth.svg\n");
    const svg = await readPage(join(federation.folder, "both"));
    for (const quality of ["accuracy", "loss"]) {
      for (const axis of ["round", "wall time", "bytes sent and received"]) {
        assert(svg.includes(`>${quality} against ${axis}</text>`), `${quality} ${axis}`);
      }
    }
    for (const run of ["plain", "asynchronous"]) {
      assert(svg.includes(`>clients of ${run}</text>`));
      assert(svg.includes(`>CPU in ${run}, of one core</text>`));
    }
    // Two clients in three rounds, one in each of four, and one that may have come at the end.
    const trainings = svg.match(/<rect class="training"[^>]*><title>round \d+: [\d.]+ s/g)!.length;
    assert(trainings === 10 || trainings === 11, `${trainings}`);
    assert(svg.includes(">temp_1</text>") && svg.includes(">server</text>"));
    const html = await Deno.readTextFile(join(federation.folder, "both.html"));
    assert.match(html, /<tr><td>plain<\/td><td>3<\/td>/);
    assert.match(html, /<tr><td>asynchronous<\/td><td>4<\/td>/);
  });

  await t.step("what cannot be drawn is named", async () => {
    const refused = async (...args: string[]) => {
      const program = federation.run(["plot", ...args]);
      assert.notEqual(await program.exitCode(), 0, program.printed());
      return program.stderr;
    };
    assert.match(
      await refused("nowhere"),
      /Cannot plot "nowhere" as neither it nor one run in runs/,
    );
    await Deno.writeTextFile(join(federation.folder, "empty.csv"), "");
    assert.match(
      await refused(first, "--resources", "empty.csv"),
      /Cannot use --resources "empty.csv" as it holds no samples of --monitor/,
    );
    await Deno.writeTextFile(join(other, "results.json"), '{"schema": 1, "rou');
    assert.match(await refused(other), /Cannot read .*results\.json: /);
    assert(!existsSync(join(other, "plot.svg")), "nothing is written");
  });
});

/** Reads a page: whole, and without a word from elsewhere. Gives the image. */
async function readPage(base: string): Promise<string> {
  const [svg, html] = await Promise.all(
    ["svg", "html"].map((ending) => Deno.readTextFile(`${base}.${ending}`)),
  );
  checkBalanced(svg!);
  assert(html!.includes(svg!.trim()), "the page holds the image");
  for (const text of [svg!, html!]) {
    const outside = text.replaceAll('xmlns="http://www.w3.org/2000/svg"', "");
    assert.doesNotMatch(outside, /https?:|<script|<link|<img|@import|url\(|NaN|undefined|Infinity/);
  }
  return svg!;
}

/** Every element is closed in its place. */
function checkBalanced(xml: string): void {
  const open: string[] = [];
  for (const [, closes, name, ends] of xml.matchAll(/<(\/?)([a-z][\w-]*)[^>]*?(\/?)>/gi)) {
    if (closes) assert.equal(open.pop(), name);
    else if (!ends) open.push(name!);
  }
  assert.deepEqual(open, []);
}
