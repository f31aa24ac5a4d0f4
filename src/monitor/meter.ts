/** Measures this process: each call gives a sample of what was used since the one before. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import type { Clock } from "../core/clock.ts";
import type { ResourceSample } from "../core/resources.ts";
import type { GpuMeter } from "./gpu.ts";
import { type Counters, parseIo, parseNetDev, parseStatus } from "./linux.ts";

/** What this machine tells at one moment. */
export interface Reading extends Counters {
  readonly cpuMicroseconds: number;
  readonly rssBytes: number;
  readonly threads: number | null;
  readonly virtualBytes: number | null;
  readonly swapBytes: number | null;
}

/** Takes samples. */
export interface Meter {
  sample(): Promise<ResourceSample>;
}

/** A meter of this process, or of whatever `read` reads. */
export async function openMeter(
  clock: Pick<Clock, "epochMs" | "monotonicMs">,
  gpu: Pick<GpuMeter, "percent">,
  read: () => Promise<Reading> = readThisProcess,
): Promise<Meter> {
  let before = { reading: await read(), ms: clock.monotonicMs() };
  return {
    async sample() {
      const now = { reading: await read(), ms: clock.monotonicMs() };
      const { reading: old } = before;
      const { reading } = now;
      const elapsedMs = Math.max(1, now.ms - before.ms);
      before = now;
      return {
        atMs: clock.epochMs(),
        cpuPercent: (reading.cpuMicroseconds - old.cpuMicroseconds) / elapsedMs / 10,
        rssBytes: reading.rssBytes,
        virtualBytes: reading.virtualBytes,
        swapBytes: reading.swapBytes,
        threads: reading.threads,
        netReceivedBytes: since(old.netReceived, reading.netReceived),
        netSentBytes: since(old.netSent, reading.netSent),
        diskReadBytes: since(old.diskRead, reading.diskRead),
        diskWrittenBytes: since(old.diskWritten, reading.diskWritten),
        gpuPercent: gpu.percent(),
      };
    },
  };
}

/** An interface that goes takes its count with it: then nothing is known to have passed. */
function since(before: number | null, now: number | null): number | null {
  return before === null || now === null ? null : Math.max(0, now - before);
}

async function readThisProcess(): Promise<Reading> {
  const { user, system } = process.cpuUsage();
  const [status, io, net] = await Promise.all(
    ["status", "io", "net/dev"].map((name) =>
      readFile(`/proc/self/${name}`, "utf8").catch(() => "")
    ),
  );
  return {
    cpuMicroseconds: user + system,
    rssBytes: process.memoryUsage.rss(),
    ...parseStatus(status!),
    ...parseIo(io!),
    ...parseNetDev(net!),
  };
}
