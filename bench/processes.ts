/** What the system says of a process. */

/** Resident memory of a process, in bytes; Linux only. */
export function residentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/VmRSS:\s+(\d+)/)![1]) * 1024;
}

/** The most resident memory that a process has had, in bytes; Linux only. */
export function peakResidentBytes(pid: number): number {
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return Number(status.match(/VmHWM:\s+(\d+)/)![1]) * 1024;
}

/** Watches the resident memory of a process. */
export class MemoryWatch implements Disposable {
  peak = 0;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(pid: number, everyMs = 20) {
    this.#timer = setInterval(() => this.peak = Math.max(this.peak, residentBytes(pid)), everyMs);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Bytes as text in MB. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

/** The middle one of the numbers. */
export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!;
}
