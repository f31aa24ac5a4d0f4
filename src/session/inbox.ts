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

  /** The next item, waiting for one if there is none. @throws the signal's reason */
  async take(signal: AbortSignal): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#items.length > 0) return this.#items.shift()!;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      this.#wake = null;
    }
  }
}
