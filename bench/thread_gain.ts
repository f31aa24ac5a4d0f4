/** What several threads of this machine can gain. */

const TURN_MS = 400;

/**
 * How many times the arithmetic of one thread several do at once: their number, or less where they
 * share cores with each other or with other work. No training gains more.
 */
export async function threadGain(threads: number): Promise<number> {
  const alone = await callsAtOnce(1);
  const together = await callsAtOnce(threads);
  return together / alone;
}

/** Calls of the peak that all have done in the same time. */
async function callsAtOnce(threads: number): Promise<number> {
  const workers = Array.from(
    { length: threads },
    () => new Worker(new URL("./peak_worker.ts", import.meta.url), { type: "module" }),
  );
  try {
    // None begins before all have started.
    await Promise.all(workers.map(answer));
    const counted = Promise.all(workers.map(answer));
    for (const worker of workers) worker.postMessage(TURN_MS);
    return (await counted).reduce((sum, calls) => sum + calls, 0);
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function answer(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
}
