/** Decides on which device a model trains: as told, or by a trial where there is a choice. */
import type { Device } from "../core/metrics.ts";
import { messageOf } from "../core/errors.ts";
import { type Contestant, rankBySpeed, type TrialTime } from "./device_trial.ts";
import { type AdapterInfo, findAdapter } from "./webgpu.ts";

/** "auto": the device that a trial finds faster; a software adapter is never tried. */
export type DeviceChoice = "auto" | Device;

/** A decision, and the sentence that tells of it. */
export interface Decision {
  readonly device: Device;
  readonly text: string;
}

/** What a decision by trial rests on. */
export interface TrialSurroundings {
  readonly adapter?: () => Promise<AdapterInfo | null>;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/**
 * Chooses by trial between the processor and the adapter.
 *
 * @param prepare makes a device ready for steps; one that fails at this is not chosen
 */
export async function chooseByTrial(
  prepare: (device: Device) => Promise<Contestant>,
  { adapter = findAdapter, now = () => performance.now() }: TrialSurroundings = {},
): Promise<Decision> {
  const found = await adapter();
  if (found === null || found.isSoftware) {
    const reason = found === null ? "there is no WebGPU adapter" : `${found.name} is software`;
    return { device: "cpu", text: `Trains on cpu as ${reason}` };
  }
  let gpu: Contestant;
  try {
    gpu = await prepare("webgpu");
  } catch (error) {
    return { device: "cpu", text: `Trains on cpu: ${messageOf(error)}` };
  }
  const ranked = await rankBySpeed([await prepare("cpu"), gpu], now);
  const { device } = ranked[0]!;
  return {
    device,
    text: `Trains on ${device} after a trial with ${found.name}: ${ranked.map(said).join(", ")}`,
  };
}

function said({ device, stepMs, failure }: TrialTime): string {
  return failure === null
    ? `${device} ${stepMs.toFixed(2)} ms a batch`
    : `${device} failed (${messageOf(failure)})`;
}
