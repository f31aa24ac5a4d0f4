/** What this machine is, as adverts tell it: read from files, without starting a program. */
import { readFile, stat } from "node:fs/promises";
import type { HardwareInfo } from "./discovery.ts";

/** Any of these shows that CUDA can be used: a card, a Jetson board, Windows' Linux subsystem. */
const CUDA_FILES = ["/dev/nvidia0", "/dev/nvhost-gpu", "/usr/lib/wsl/lib/libcuda.so.1"];

/** Reads this machine's hardware; what cannot be read is null or false. */
export async function readHardware(): Promise<HardwareInfo> {
  const cpuinfo = await readFile("/proc/cpuinfo", "utf8").catch(() => "");
  const found = await Promise.all(CUDA_FILES.map(exists));
  return {
    // The names of lscpu: x86_64, aarch64.
    arch: Deno.build.arch,
    cpu_core_count: String(navigator.hardwareConcurrency),
    model_name: modelNameIn(cpuinfo),
    cuda_available: found.includes(true),
  };
}

/** The processor's name in the text of `/proc/cpuinfo`; null if it tells none, as on many ARMs. */
export function modelNameIn(cpuinfo: string): string | null {
  const name = /^model name\s*:\s*(.*\S)\s*$/m.exec(cpuinfo)?.[1];
  return name === undefined ? null : name.slice(0, 200);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(() => true, () => false);
}
