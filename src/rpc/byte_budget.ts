/**
 * Bounds the bytes that are under way to all clients together. A transfer asks for one frame at a
 * time and is served in order of asking: a small transfer waits for at most one frame of each other,
 * and a thousand clients cost no more memory than a few.
 */

interface Waiting {
  readonly bytes: number;
  readonly grant: () => void;
}

/** A first-come, first-served budget of bytes. */
export class ByteBudget {
  readonly #limit: number;
  #used = 0;
  readonly #waiting = new Set<Waiting>();

  /** @param limit bytes that may be held at once; a larger request counts as the whole budget */
  constructor(limit: number) {
    if (!(limit > 0)) throw new RangeError(`Cannot make a budget of ${limit} bytes: at least 1`);
    this.#limit = limit;
  }

  /** Bytes held now. */
  get used(): number {
    return this.#used;
  }

  /**
   * Waits for its turn and takes `bytes`.
   *
   * @returns gives the bytes back; calling it again does nothing
   * @throws the signal's reason when it aborts before the turn comes
   */
  acquire(bytes: number, signal: AbortSignal): Promise<() => void> {
    const wanted = Math.min(bytes, this.#limit);
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiting.delete(waiting);
        // Those behind may fit where this one did not.
        this.#serve();
        reject(signal.reason);
      };
      const waiting: Waiting = {
        bytes: wanted,
        grant: () => {
          signal.removeEventListener("abort", leave);
          resolve(this.#take(wanted));
        },
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.add(waiting);
      this.#serve();
    });
  }

  #take(bytes: number): () => void {
    this.#used += bytes;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#used -= bytes;
      this.#serve();
    };
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      if (this.#used + waiting.bytes > this.#limit) return;
      this.#waiting.delete(waiting);
      waiting.grant();
    }
  }
}
