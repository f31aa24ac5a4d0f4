/** Takes a sample every second and hands it to whoever keeps it. */
import type { Clock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { ResourceSample } from "../core/resources.ts";
import type { Logger } from "../log/log.ts";
import { openGpuMeter } from "./gpu.ts";
import { openMeter } from "./meter.ts";

/** A monitor that runs. */
export interface Monitor {
  /** Ends it, after a sample that is being kept. */
  close(): Promise<void>;
}

const INTERVAL_MS = 1000;

/**
 * Starts to watch this process.
 *
 * @param keep stores a sample; what it throws is logged once, and watching goes on
 */
export async function startMonitor(
  clock: Pick<Clock, "epochMs" | "monotonicMs">,
  logger: Logger,
  keep: (sample: ResourceSample) => Promise<void>,
): Promise<Monitor> {
  const gpu = openGpuMeter();
  const meter = await openMeter(clock, gpu);
  let busy: Promise<void> | null = null;
  let told = false;
  const timer = setInterval(() => {
    // A disk that is slower than a second leaves samples out rather than piling them up.
    busy ??= meter.sample().then(keep).catch((error) => {
      if (!told) logger.warning("monitor", `Cannot keep what is measured: ${messageOf(error)}`);
      told = true;
    }).finally(() => busy = null);
  }, INTERVAL_MS);
  return {
    async close() {
      clearInterval(timer);
      await busy;
      gpu.close();
    },
  };
}
