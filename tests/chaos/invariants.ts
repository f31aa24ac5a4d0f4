/** What must be true after a run, whatever has happened in it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Redis } from "ioredis";
import { checkpointName, openCheckpoint } from "../../src/server/checkpoint.ts";
import type { SessionEntry, UpdateReceived } from "../../src/session/events.ts";
import { keptWeights } from "../../src/session/kept_rounds.ts";
import { fold, type SessionState } from "../../src/session/state.ts";
import type { Program } from "../fixtures/federation.ts";
import { clientName, type Rig } from "./rig.ts";
import { type ChaosRun, CHECKPOINT_INTERVAL, CLIENTS } from "./runs.ts";

/** Leftovers may be cleared a moment after the end of a run. */
const TIDY_DEADLINE_MS = 10_000;

/** Checks one run's command, journal, results and final weights. @throws {AssertionError} */
export async function checkRun(
  rig: Rig,
  session: string,
  command: Program,
  entries: readonly SessionEntry[],
): Promise<SessionState> {
  assert.equal(await command.exitCode(30_000), 0, `the command fails: ${command.stderr}`);
  const told = command.stdout.trim().split("\n").map((line) => JSON.parse(line))
    .filter((line) => line.seq !== undefined);
  assert.deepEqual(told, entries, "the command has missed events, or seen some twice");
  assert.deepEqual(entries.map(({ seq }) => seq), entries.map((_, i) => i + 1), "gaps");
  const state = fold(entries)!;
  assert.equal(state.status, "finished");
  const { rounds, updatesPerRound } = rig.options.run;
  assert.equal(state.rounds.length, rounds);
  for (const { round, updates, finished, validation } of state.rounds) {
    assert.equal(updates.length, updatesPerRound, `round ${round} lacks updates`);
    assert.ok(finished !== null, `round ${round} is open`);
    assert.ok(validation !== null, `round ${round} was not evaluated`);
  }
  checkCountedOnce(entries, state);
  const folder = join(rig.folder, "runs", session);
  const model = await Deno.readFile(join(folder, "model.safetensors"));
  const weights = createHash("sha256").update(model).digest("hex");
  const results = JSON.parse(await Deno.readTextFile(join(folder, "results.json")));
  assert.equal(results.final.weights_id, weights, "results.json names other weights");
  assert.equal(state.weights, weights, "the journal names other weights");
  return state;
}

/** Each assignment has one update in the journal, which counts in one round or came too late. */
function checkCountedOnce(entries: readonly SessionEntry[], state: SessionState): void {
  const nameOf = ({ client, round }: UpdateReceived) => `${client.name} in ${round}`;
  const received = entries.flatMap(({ event }) =>
    event.type === "update_received" ? [nameOf(event)] : []
  );
  const counted = [...state.rounds.flatMap(({ updates }) => updates), ...state.pending].map(nameOf);
  assert.deepEqual(counted.toSorted(), received.toSorted(), "updates are lost or count twice");
  assert.equal(new Set(received).size, received.length, "an assignment has two answers");
}

/** Checks that all checkpoints of a run are there and whole. @throws {AssertionError} */
export async function checkCheckpoints(rig: Rig, { id, rounds }: SessionState): Promise<void> {
  for (const { round, finished } of rounds) {
    if (round % CHECKPOINT_INTERVAL !== 0) continue;
    const path = join(rig.folder, "checkpoint", checkpointName(id, round));
    using checkpoint = await openCheckpoint(path);
    assert.equal(checkpoint.about.weights, finished!.weights, `${path} has other weights`);
  }
}

/** What the runs of a campaign have come to so far. */
export class History {
  /** Blobs that any of them needs. */
  readonly needed = new Set<string>();
  #first: SessionState | null = null;

  /** Takes the outcome of one more. @throws {AssertionError} it is not that of the first */
  add(state: SessionState, { isReproducible }: ChaosRun): void {
    for (const id of [...keptWeights(state), state.model.blob]) this.needed.add(id);
    this.#first ??= state;
    if (!isReproducible) return;
    assert.equal(state.weights, this.#first.weights, "the model is not the undisturbed run's");
    const evaluated = ({ rounds }: SessionState) => rounds.map(({ validation }) => validation);
    assert.deepEqual(evaluated(state), evaluated(this.#first), "rounds were evaluated otherwise");
  }
}

/** Checks, when nothing runs, that nothing is left that no run needs. @throws {AssertionError} */
export async function checkLeftovers(rig: Rig, kept: ReadonlySet<string>): Promise<void> {
  const deadline = performance.now() + TIDY_DEADLINE_MS;
  for (;;) {
    const left = await leftovers(rig, kept);
    if (left.length === 0) return;
    if (performance.now() > deadline) assert.fail(`left behind: ${left.join(", ")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function leftovers(rig: Rig, kept: ReadonlySet<string>): Promise<string[]> {
  const found = await temporaryFiles(rig.folder);
  const blobs = rig.options.store === "sqlite"
    ? (await namesIn(join(rig.folder, "state", "blobs"))).filter((name) => name !== ".lock")
    : rig.redisPort === null
    ? []
    : await redisBlobs(rig.redisPort);
  for (let n = 1; n <= CLIENTS; n++) {
    const results = await namesIn(join(rig.folder, `temp_${n}`, "results"));
    if (results.length > 0) found.push(`${results.length} results of client ${n}`);
  }
  found.push(...blobs.filter((id) => !kept.has(id)).map((id) => `blob ${id}`));
  return found;
}

/** Files under a temporary name, anywhere. */
async function temporaryFiles(folder: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) found.push(...await temporaryFiles(path));
    else if (name.endsWith(".tmp")) found.push(path);
  }
  return found;
}

async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

/** Ids of the blobs in Redis. Uploads that a death has cut off expire, which their keys must say. */
async function redisBlobs(port: number): Promise<string[]> {
  const redis = new Redis(port, "127.0.0.1");
  try {
    for (const key of await redis.keys("flotilla:upload:*")) {
      assert.notEqual(await redis.ttl(key), -1, `${key} would stay for ever`);
    }
    return (await redis.keys("flotilla:blob:*")).map((key) => key.slice("flotilla:blob:".length));
  } finally {
    redis.disconnect();
  }
}

/** How much each process has printed up to a moment: programs that have ended, and what the last has. */
export type Printed = ReadonlyMap<string, { readonly programs: number; readonly length: number }>;

/** What has been printed up to now. */
export function printedBy(rig: Rig): Printed {
  return new Map(
    [...rig.processes].map(([name, { programs }]) => {
      return [name, { programs: programs.length - 1, length: programs.at(-1)!.stderr.length }];
    }),
  );
}

/**
 * Checks what clients have logged since a moment: no assignment was begun twice, but by a process
 * after one that died before it had finished it.
 */
export function checkTrainedOnce(rig: Rig, since: Printed): void {
  for (let n = 1; n <= CLIENTS; n++) {
    const name = clientName(n);
    const begun = new Map<number, string>();
    const { programs: past, length } = since.get(name)!;
    for (const [i, program] of rig.processes.get(name)!.programs.slice(past).entries()) {
      // What the process before had begun and not finished died with it.
      for (const [round, stage] of begun) if (stage === "training") begun.delete(round);
      for (const line of program.stderr.slice(i === 0 ? length : 0).split("\n")) {
        const [, stage, round] = /"event":"(training|trained)".* round (\d+)/.exec(line) ?? [];
        if (stage === undefined) continue;
        assert.ok(
          stage === "trained" || !begun.has(Number(round)),
          `${name} has trained round ${round} twice`,
        );
        begun.set(Number(round), stage);
      }
    }
  }
}
