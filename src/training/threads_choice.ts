/** How many threads share a step. */

/** As configured. */
export type ThreadsChoice = number | "auto";

/** The number of threads that a choice comes to. */
export function threadsFor(choice: ThreadsChoice): number {
  return choice === "auto" ? navigator.hardwareConcurrency : choice;
}

/** What a person should know of a choice, or null. */
export function threadsNotice(choice: ThreadsChoice): string | null {
  const cores = navigator.hardwareConcurrency;
  if (threadsFor(choice) <= cores) return null;
  return `Training shares each step among ${choice} threads on ${cores} cores, which is slower than ` +
    `on ${cores}: set training.threads to auto`;
}
