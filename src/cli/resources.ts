/** `--monitor`: where the samples of a server and of a client go. */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../core/clock.ts";
import type { ResourceSample } from "../core/resources.ts";
import type { Logger } from "../log/log.ts";
import { type Monitor, startMonitor } from "../monitor/monitor.ts";
import { appendSample, readSamples } from "../monitor/resources_csv.ts";
import type { Sessions } from "../server/sessions.ts";

/** Name of the file with the samples of one run, or of one client's process. */
export const RESOURCES_FILE = "resources.csv";

/** Watches this process while a run goes on, into the folder of that run. */
export function watchRuns(
  sessions: Pick<Sessions, "list">,
  runsFolder: string,
  logger: Logger,
): Promise<Monitor> {
  return startMonitor(systemClock, logger, async (sample) => {
    const running = (await sessions.list()).find(({ status }) => status === "running");
    if (running === undefined) return;
    const folder = join(runsFolder, running.id);
    await mkdir(folder, { recursive: true });
    await appendSample(join(folder, RESOURCES_FILE), sample);
  });
}

/** What was measured into the folder of a run; none if nothing was. */
export function samplesIn(folder: string): Promise<ResourceSample[]> {
  return readSamples(join(folder, RESOURCES_FILE));
}

/** Watches this process from now to its end; a file of an earlier process is replaced. */
export async function watchProcess(folder: string, logger: Logger): Promise<Monitor> {
  const path = join(folder, RESOURCES_FILE);
  await mkdir(folder, { recursive: true });
  await rm(path, { force: true });
  logger.info("monitor", `What this process uses is measured into ${path}`);
  return await startMonitor(systemClock, logger, (sample) => appendSample(path, sample));
}
