/**
 * What befalls whom: a seed gives every process a row of deaths, one for each time that it is
 * started, and the services and networks around them a row of disturbances.
 */
import type { CrashPoint } from "../../src/core/crash_point.ts";
import { type Prng, seeded } from "../../src/core/prng.ts";
import { deriveSeed } from "../../src/core/derive_seed.ts";

/** How a process will die. */
export type Fate =
  /** By SIGKILL this long after its start. */
  | { readonly kind: "kill"; readonly afterMs: number }
  /** When it passes a named point in the code for the `count`-th time. */
  | { readonly kind: "crash"; readonly point: CrashPoint; readonly count: number };

/** What happens beside deaths. */
export type Disturbance =
  /** A process is stopped by SIGSTOP for a while. */
  | { readonly kind: "pause"; readonly process: string; readonly forMs: number }
  /** A service is killed and comes back. */
  | { readonly kind: "outage"; readonly service: "broker" | "redis"; readonly forMs: number }
  /** The clock of the leader, or of all clients, is set: so many hours wrong. */
  | { readonly kind: "clock"; readonly whose: ClockOwner; readonly hours: -1 | 0 | 1 }
  /** A network between two programs misbehaves. */
  | { readonly kind: NetworkFault; readonly link: string; readonly forMs: number };

export type NetworkFault = "cut" | "reset" | "stall" | "throttle";

export type ClockOwner = "server" | "client";

/** A process's name: `leader`, or `client 1` and so on. */
export type ProcessName = string;

/** Where a leader and where a client may be made to die. */
const LEADER_POINTS: readonly { readonly point: CrashPoint; readonly most: number }[] = [
  { point: "journal_before", most: 6 },
  { point: "journal_after", most: 6 },
  { point: "blob_written", most: 4 },
  { point: "aggregated", most: 2 },
  { point: "aggregate_stored", most: 2 },
  { point: "checkpoint_written", most: 2 },
  { point: "results_saved", most: 1 },
];
const CLIENT_POINTS: typeof LEADER_POINTS = [
  { point: "trained", most: 2 },
  { point: "blob_written", most: 3 },
];

/** Share of deaths at a named point, and of those by a timer that come while a process starts. */
const AT_POINT = 0.4;
const AT_START = 0.2;
const STARTS_WITHIN_MS = 600;
const LONGEST_LIFE_MS = 3500;
const LONGEST_CLIENT_LIFE_MS = 8000;

/** The endless row of a process's deaths. */
export function* fatesOf(process: ProcessName, seed: number): Generator<Fate, never> {
  const prng = seeded(deriveSeed(seed, "fate", process));
  const isLeader = process === "leader";
  const longest = isLeader ? LONGEST_LIFE_MS : LONGEST_CLIENT_LIFE_MS;
  for (;;) {
    if (prng() < AT_POINT) {
      const { point, most } = pick(isLeader ? LEADER_POINTS : CLIENT_POINTS, prng);
      yield { kind: "crash", point, count: 1 + Math.floor(prng() * most) };
    } else if (prng() < AT_START) {
      yield { kind: "kill", afterMs: Math.round(prng() * STARTS_WITHIN_MS) };
    } else {
      yield { kind: "kill", afterMs: Math.round(STARTS_WITHIN_MS + prng() * longest) };
    }
  }
}

/** What there is to disturb. */
export interface Surroundings {
  readonly processes: readonly ProcessName[];
  readonly services: readonly ("broker" | "redis")[];
  readonly clocks: readonly ClockOwner[];
  /** Names of the proxied connections. */
  readonly links: readonly string[];
}

/** The endless row of disturbances, each with the quiet time before it. */
export function* disturbancesOf(
  { processes, services, clocks, links }: Surroundings,
  seed: number,
): Generator<{ readonly afterMs: number; readonly disturbance: Disturbance }, never> {
  const prng = seeded(deriveSeed(seed, "disturbance"));
  const kinds = [
    ...(processes.length > 0 ? ["pause"] as const : []),
    ...(services.length > 0 ? ["outage"] as const : []),
    ...(clocks.length > 0 ? ["clock"] as const : []),
    ...(links.length > 0 ? ["cut", "reset", "stall", "throttle"] as const : []),
  ];
  for (;;) {
    const afterMs = 300 + Math.round(prng() * 2500);
    const forMs = 50 + Math.round(prng() * 1200);
    const kind = pick(kinds, prng);
    if (kind === "pause") {
      yield { afterMs, disturbance: { kind, process: pick(processes, prng), forMs } };
    } else if (kind === "outage") {
      yield { afterMs, disturbance: { kind, service: pick(services, prng), forMs } };
    } else if (kind === "clock") {
      const hours = pick([-1, 0, 1] as const, prng);
      yield { afterMs, disturbance: { kind, whose: pick(clocks, prng), hours } };
    } else yield { afterMs, disturbance: { kind, link: pick(links, prng), forMs } };
  }
}

function pick<T>(from: readonly T[], prng: Prng): T {
  return from[Math.floor(prng() * from.length)]!;
}

/** A fate in words. */
export function fateText(fate: Fate): string {
  return fate.kind === "kill"
    ? `SIGKILL after ${fate.afterMs} ms`
    : `crash at ${fate.point}, passing ${fate.count}`;
}

/** A disturbance in words. */
export function disturbanceText(disturbance: Disturbance): string {
  if (disturbance.kind === "clock") {
    return `clock of each ${disturbance.whose} set ${disturbance.hours} hours off`;
  }
  const { kind, forMs } = disturbance;
  switch (kind) {
    case "pause":
      return `${disturbance.process} stopped for ${forMs} ms`;
    case "outage":
      return `${disturbance.service} killed, back after ${forMs} ms`;
    case "cut":
    case "reset":
      return `connections of ${disturbance.link} ${kind === "cut" ? "cut" : "reset"}`;
    case "stall":
      return `connections of ${disturbance.link} stalled for ${forMs} ms`;
    case "throttle":
      return `connections of ${disturbance.link} slow for ${forMs} ms`;
  }
}
