/** Which process on which machine: to know for sure that another process has ended. */
import process from "node:process";

/** A process, among all of all machines and times as far as the system lets tell. */
export interface ProcessIdentity {
  readonly hostname: string;
  readonly pid: number;
  /**
   * The same for processes that see each other's numbers: of one boot of one machine, and of one
   * container on it. The host's name where the system does not tell.
   */
  readonly space: string;
  /** When it began, in the system's own unit; null where the system does not tell. */
  readonly started: string | null;
}

/** This process. */
export function ownIdentity(): ProcessIdentity {
  const hostname = Deno.hostname();
  const boot = readIfThere("/proc/sys/kernel/random/boot_id");
  const space = boot === null ? hostname : `${boot.trim()} ${numberSpace()}`;
  return { hostname, pid: Deno.pid, space, started: startOf(Deno.pid) };
}

/** Whether a process is known to have ended; false also if it runs elsewhere. */
export function isGone(other: ProcessIdentity, own: ProcessIdentity): boolean {
  if (other.space !== own.space) return false;
  if (other.pid === own.pid) return other.started !== own.started;
  if (!exists(other.pid)) return true;
  // Its number may be another process's by now.
  const started = startOf(other.pid);
  return started !== null && other.started !== null && started !== other.started;
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { readonly code?: string }).code !== "ESRCH";
  }
}

function numberSpace(): string {
  try {
    return Deno.readLinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

/** The 22nd field of `stat`; the name in the second may itself have spaces and brackets. */
function startOf(pid: number): string | null {
  const stat = readIfThere(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? null;
}

function readIfThere(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
