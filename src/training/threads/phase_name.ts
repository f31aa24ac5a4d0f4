/** A name that a threaded plan and the threads that run it agree on. */

/** Name of the function of a thread in a phase. */
export function phaseName(phase: number, thread: number): string {
  return `phase ${phase} of thread ${thread}`;
}
