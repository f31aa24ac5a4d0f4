/** `flotilla data`, as a process. */
import assert from "node:assert/strict";
import { Folder, run } from "./leader_world.ts";

Deno.test("flotilla data partition divides MNIST: datasets, test set, plot and table", async () => {
  await using folder = new Folder();
  const out = `${folder.path}/out`;
  const args = ["data", "partition", "--from", "mnist", "--mode", "fixed_samples"];
  const made = await run([...args, "--samples", "20", "--clients", "2", "--out", out]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^CLIENT +ITEMS( +\d){10}\n +1 +20( +2){10}\n +2 +20( +2){10}\n/);
  assert.match(made.stdout, /leader\/MNIST: 10000 items to test on/);
  const plot = await Deno.readTextFile(`${out}/partition.svg`);
  assert.match(plot, /<title>client 2, label 9: 2 items<\/title>/);

  const seen = await run(["data", "inspect", `${out}/part_2/MNIST`, "--json"]);
  assert.equal(seen.code, 0, seen.stderr);
  const { items, shape, labels, bad } = JSON.parse(seen.stdout);
  assert.deepEqual({ items, shape, bad }, { items: 20, shape: [28, 28, 1], bad: 0 });
  assert.deepEqual(labels.counts, new Array(10).fill(2));

  const again = await run([...args, "--clients", "2", "--out", out]);
  assert.equal(again.code, 2);
  assert.match(again.stderr, /Cannot write to --out ".*out" as it is not empty/);
});

Deno.test("flotilla data partition --json divides a table by column and holds a test set out", async () => {
  await using folder = new Folder();
  const rows = Array.from({ length: 40 }, (_, i) => `h${i % 2},${i},${i % 4 === 0 ? 1 : 0}`);
  await Deno.writeTextFile(`${folder.path}/p.csv`, `site,age,ill\n${rows.join("\n")}\n`);
  const { code, stdout, stderr } = await run([
    ...["data", "partition", "--from", `${folder.path}/p.csv`, "--mode", "column"],
    ...["--column", "site", "--test-fraction", "0.25", "--out", `${folder.path}/out`, "--json"],
  ]);
  assert.equal(code, 0, stderr);
  const parts = stdout.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(parts.map(({ client }) => client), [1, 2]);
  assert.equal(parts[0].items + parts[1].items, 30);
  // Only even rows, those of h0, are ill.
  assert(parts[0].labels["1"] > 0);
  assert.equal(parts[1].labels["1"], 0);
});

Deno.test("flotilla data partition leaves nothing behind when it fails", async () => {
  await using folder = new Folder();
  const { code, stderr } = await run([
    ...["data", "partition", "--from", "mnist", "--mode", "probability"],
    ...["--probability", "0.9", "0.2", "--out", `${folder.path}/out`],
  ]);
  assert.equal(code, 2);
  assert.match(stderr, /^error: Cannot use --probability 0.9 0.2 as they sum to 1.1/);
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), []);
});

Deno.test("flotilla data inspect lists bad rows and exits with 1", async () => {
  await using folder = new Folder();
  await Deno.writeTextFile(`${folder.path}/p.csv`, "a,label\n1,0\nx,1\n");
  const { code, stdout } = await run(["data", "inspect", `${folder.path}/p.csv`]);
  assert.equal(code, 1);
  assert.match(stdout, /^bad rows 1\n +row 2: column "a" holds "x", which is no number$/m);
});

Deno.test("flotilla data partition and inspect show labels that are words by their names", async () => {
  await using folder = new Folder();
  const rows = Array.from({ length: 30 }, (_, i) => `${i},${["oak", "ash", "fir"][i % 3]}`);
  await Deno.writeTextFile(`${folder.path}/trees.csv`, `height,kind\n${rows.join("\n")}\n`);
  const made = await run([
    ...["data", "partition", "--from", `${folder.path}/trees.csv`, "--mode", "probability"],
    ...["--probability", "0.5", "0.2", "--test-fraction", "0", "--out", `${folder.path}/out`],
  ]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^CLIENT +ITEMS +ash +fir +oak\n +1 +15 +5 +5 +5\n +2 +6 +2 +2 +2\n/);
  const seen = await run(["data", "inspect", `${folder.path}/out/part_2/trees`]);
  assert.match(seen.stdout, /^ +ash +2 +33.3 % █+$/m);
  const file = await run(["data", "inspect", `${folder.path}/trees.csv`, "--json"]);
  assert.deepEqual(JSON.parse(file.stdout).labels.names, ["ash", "fir", "oak"]);
});

Deno.test("flotilla data partition --labels takes the names of labels, and lists them for an unknown one", async () => {
  await using folder = new Folder();
  const rows = Array.from({ length: 30 }, (_, i) => `${i},${["oak", "ash", "fir"][i % 3]}`);
  await Deno.writeTextFile(`${folder.path}/trees.csv`, `height,kind\n${rows.join("\n")}\n`);
  const args = [
    ...["data", "partition", "--from", `${folder.path}/trees.csv`, "--mode", "limit_label"],
    ...["--fraction", "1", "--test-fraction", "0", "--out", `${folder.path}/out`, "--labels"],
  ];
  const unknown = await run([...args, "oak", "ash,elm"]);
  assert.equal(unknown.code, 2);
  assert.match(
    unknown.stderr,
    /^error: Cannot give client 2 label "elm" of --labels .*: their labels are ash, fir, oak$/m,
  );
  const made = await run([...args, "oak", "ash,fir"]);
  assert.equal(made.code, 0, made.stderr);
  assert.match(made.stdout, /^ +1 +10 +- +- +10\n +2 +20 +10 +10 +-\n/m);
});
