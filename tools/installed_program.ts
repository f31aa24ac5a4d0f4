/**
 * Programs and drivers from the operating system's packages: where they are, and how to get a
 * missing one.
 */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A program and the package that brings it. */
export interface SystemProgram {
  /** Name of the executable. */
  readonly name: string;
  /** Name of the package on Debian and its relatives. */
  readonly debianPackage: string;
  /** Where it lies if it is not started by name. @default the folders of `PATH` */
  readonly folders?: readonly string[];
}

export const MOSQUITTO: SystemProgram = { name: "mosquitto", debianPackage: "mosquitto" };
export const REDIS: SystemProgram = { name: "redis-server", debianPackage: "redis-server" };
/** A GPU in software, by which WebGPU can be tested where there is none. */
export const SOFTWARE_VULKAN: SystemProgram = {
  name: `lvp_icd.${Deno.build.arch}.json`,
  debianPackage: "mesa-vulkan-drivers",
  folders: ["/usr/share/vulkan/icd.d"],
};

/** Full path of an installed program, also where only root's `PATH` looks; null if there is none. */
export function installedProgram(
  { name, folders = programFolders() }: SystemProgram,
): string | null {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

function programFolders(): readonly string[] {
  return [
    ...(Deno.env.get("PATH") ?? "").split(delimiter),
    "/usr/sbin",
    "/usr/local/sbin",
  ];
}

/**
 * Full path of a program, which is installed by `apt-get` if it is missing and we may: as root on
 * Debian. Null if it is not there afterwards.
 */
export async function obtainProgram(program: SystemProgram): Promise<string | null> {
  const path = installedProgram(program);
  if (path !== null || !mayInstall()) return path;
  console.log(`Installing ${program.debianPackage} by apt-get`);
  const update = await aptGet("update");
  if (update) await aptGet("install", "-y", "--no-install-recommends", program.debianPackage);
  return installedProgram(program);
}

/** What a user can do about a missing program. */
export function installHint({ name, debianPackage }: SystemProgram): string {
  return `Cannot run ${name} as it is not installed: install it with ` +
    `"sudo apt-get install ${debianPackage}" or your system's package manager`;
}

function mayInstall(): boolean {
  return Deno.build.os === "linux" && Deno.uid() === 0 && existsSync("/etc/debian_version") &&
    existsSync("/usr/bin/apt-get");
}

async function aptGet(...args: string[]): Promise<boolean> {
  const { success } = await new Deno.Command("/usr/bin/apt-get", {
    args: ["-q", ...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).spawn().status;
  return success;
}
