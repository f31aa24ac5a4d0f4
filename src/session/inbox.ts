/** A queue with one reader: whatever happens at once is handled one after another. */

/** Items in order of arrival. */
export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | null = null;

  /** Adds an item; never waits. */
  put(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /**
   * The next item, waiting for one if there is none.
   *
   * @throws the signal's reason, also while items are waiting
   */
  async take(signal: AbortSignal): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#items.length > 0) return this.#items.shift()!;
      await this.#change(signal);
    }
  }

  /** Resolves at the next item or the signal's abort; leaves no listener behind. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener("abort", wake);
        this.#wake = null;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener("abort", wake);
    });
  }
}
