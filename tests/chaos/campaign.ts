/**
 * A campaign: the same run again and again under a seeded rain of faults, until enough processes
 * were killed, each run checked against the undisturbed one.
 */
import { messageOf } from "../../src/core/errors.ts";
import type { SessionState } from "../../src/session/state.ts";
import {
  checkCheckpoints,
  checkLeftovers,
  checkRun,
  checkTrainedOnce,
  History,
  printedBy,
} from "./invariants.ts";
import { disturbancesOf, disturbanceText, type Surroundings } from "./plan.ts";
import { type ChaosStore, Rig, type RigOptions } from "./rig.ts";
import { chaosRuns, type ChaosStrategy } from "./runs.ts";
import { Watch } from "./watch.ts";

/** What may happen in a campaign. */
export const faultKinds = [
  "leader",
  "clients",
  "pause",
  "broker",
  "redis",
  "clock",
  "network",
] as const;
export type FaultKind = typeof faultKinds[number];

export interface CampaignOptions {
  readonly seed: number;
  readonly strategy: ChaosStrategy;
  readonly broker: RigOptions["broker"];
  /** Deaths after which no further ones come. */
  readonly kills: number;
  readonly store: ChaosStore;
  readonly faults: ReadonlySet<FaultKind>;
  /** Gets one line a fault and a run. */
  say(line: string): void;
}

export interface CampaignReport {
  readonly kills: number;
  readonly disturbances: number;
  readonly runs: number;
  readonly seconds: number;
  /** Milliseconds from the start of a leader's process to the first client at work. */
  readonly resumesMs: readonly number[];
  /** Why the campaign failed; null if all is as it must be. */
  readonly problem: string | null;
}

/** A run under faults that takes longer than this hangs. */
const RUN_DEADLINE_MS = 300_000;

/** Runs a campaign; what goes wrong is in the report. */
export async function campaign(options: CampaignOptions): Promise<CampaignReport> {
  const started = performance.now();
  const tally = new Tally(options);
  let runs = 0;
  let problem: string | null = null;
  const run = chaosRuns[options.strategy];
  const rig = await Rig.start({ ...options, run }, tally);
  const history = new History();
  try {
    const { weights } = await oneRun(rig, tally, history, async () => {});
    options.say(`undisturbed: weights ${weights} in ${secondsSince(started)}`);
    const disturbances = disturbancesOf(wanted(rig.surroundings, options.faults), options.seed);
    while (tally.kills < options.kills) {
      runs++;
      const runStarted = performance.now();
      await oneRun(rig, tally, history, async (ended) => {
        const condemned = [...rig.processes].filter(([name]) =>
          options.faults.has(name === "leader" ? "leader" : "clients")
        ).map(([, process]) => process);
        for (const process of condemned) process.condemn();
        tally.onEnough = () => condemned.forEach((process) => process.spare());
        await disturb(rig, tally, disturbances, ended);
        for (const process of condemned) process.spare();
      });
      const outcome = run.isReproducible ? "same weights" : "each update counts once";
      options.say(`run ${runs} finished in ${secondsSince(runStarted)}: ${outcome}`);
    }
  } catch (error) {
    rig.keepsFolder = true;
    problem = `${messageOf(error)}\nfiles: ${rig.folder}`;
    await keepLogs(rig);
  } finally {
    tally.closing = true;
    await rig[Symbol.asyncDispose]();
  }
  const { kills, resumesMs } = tally;
  const seconds = (performance.now() - started) / 1000;
  return { kills, disturbances: tally.disturbances, runs, seconds, resumesMs, problem };
}

/** Submits the run, lets `happens` befall it, and checks everything at its end. */
async function oneRun(
  rig: Rig,
  tally: Tally,
  history: History,
  happens: (ended: Promise<void>) => Promise<void>,
): Promise<SessionState> {
  const before = printedBy(rig);
  const command = await rig.session();
  try {
    const [, session] = await command.says(/\{"session":"(.*?)"\}/);
    const watch = new Watch(rig.endpoint, session!);
    tally.watch(watch);
    try {
      const ended = withDeadline(Promise.race([watch.ended, tally.failed]), watch);
      await Promise.all([ended, happens(ended.catch(() => {}))]);
      await rig.allReady();
      const state = await checkRun(rig, session!, command, watch.entries);
      await checkCheckpoints(rig, state);
      history.add(state, rig.options.run);
      await checkLeftovers(rig, history.needed);
      checkTrainedOnce(rig, before);
      return state;
    } finally {
      watch.close();
    }
  } finally {
    await command[Symbol.asyncDispose]();
  }
}

async function disturb(
  rig: Rig,
  tally: Tally,
  plan: ReturnType<typeof disturbancesOf>,
  ended: Promise<void>,
): Promise<void> {
  let over = false;
  const end = ended.then(() => {
    over = true;
  });
  const surroundings = wanted(rig.surroundings, tally.options.faults);
  if (Object.values(surroundings).every((one) => one.length === 0)) return await end;
  while (!over && !tally.enough) {
    const { afterMs, disturbance } = plan.next().value;
    await Promise.race([end, new Promise((resolve) => setTimeout(resolve, afterMs))]);
    if (over) break;
    tally.disturbed(disturbanceText(disturbance));
    await rig.disturb(disturbance);
  }
  await end;
}

/** Those of the surroundings that the campaign's faults may touch. */
function wanted(
  { processes, services, clocks, links }: Surroundings,
  faults: ReadonlySet<FaultKind>,
): Surroundings {
  return {
    clocks: faults.has("clock") ? clocks : [],
    processes: faults.has("pause") ? processes : [],
    services: services.filter((service) => faults.has(service)),
    links: faults.has("network") ? links : [],
  };
}

/** Counts and tells what happens, and measures resumption. */
class Tally {
  kills = 0;
  disturbances = 0;
  readonly resumesMs: number[] = [];
  closing = false;
  onEnough: () => void = () => {};
  readonly #failed = Promise.withResolvers<never>();
  /** Rejects when a process has ended that should not have. */
  readonly failed = this.#failed.promise;
  #watch: Watch | null = null;
  #leaderStartedMs: number | null = null;

  constructor(readonly options: CampaignOptions) {
    this.failed.catch(() => {});
  }

  get enough(): boolean {
    return this.kills >= this.options.kills;
  }

  watch(watch: Watch): void {
    this.#watch = watch;
    watch.onSign(() => {
      if (this.#leaderStartedMs === null) return;
      const ms = performance.now() - this.#leaderStartedMs;
      this.#leaderStartedMs = null;
      this.resumesMs.push(ms);
      this.options.say(`     clients at work ${Math.round(ms)} ms after the leader's start`);
    });
  }

  onStart(name: string): void {
    if (name === "leader" && this.#watch !== null) this.#leaderStartedMs = performance.now();
  }

  onDeath(name: string, fate: string): void {
    this.kills++;
    this.options.say(`kill ${this.kills}: ${name}, ${fate}, in round ${this.#watch?.round ?? 0}`);
    if (this.enough) this.onEnough();
  }

  onUnexpectedEnd(name: string, program: { printed(): string }): void {
    if (this.closing) return;
    this.#failed.reject(
      new Error(`${name} has ended by itself:\n${program.printed().slice(-2000)}`),
    );
  }

  disturbed(text: string): void {
    this.disturbances++;
    this.options.say(
      `disturbance ${this.disturbances}: ${text}, in round ${this.#watch?.round ?? 0}`,
    );
  }
}

async function withDeadline(ended: Promise<void>, watch: Watch): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the run hangs in round ${watch.round}: ${RUN_DEADLINE_MS / 1000} s`));
    }, RUN_DEADLINE_MS);
  });
  try {
    await Promise.race([ended, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What all processes have printed goes to files beside what they have written. */
async function keepLogs(rig: Rig): Promise<void> {
  for (const [name, { programs }] of rig.processes) {
    const text = programs.map((program, i) => `--- start ${i + 1}\n${program.printed()}`).join("");
    await Deno.writeTextFile(`${rig.folder}/${name.replace(" ", "_")}.log`, text);
  }
}

function secondsSince(ms: number): string {
  return `${((performance.now() - ms) / 1000).toFixed(1)} s`;
}
