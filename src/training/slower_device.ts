/**
 * A device that is slower than this machine, for trials: what its steps took is slept several times
 * over, in one piece, after the steps are done. Nothing is computed meanwhile, so that clients which
 * share a process do not slow each other.
 */
import type { Clock } from "../core/clock.ts";

/** The time that one job takes on a device which is `factor` times as slow as this machine. */
export class SlowerDevice {
  readonly #factor: number;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  #told: Promise<void> = Promise.resolve();

  /**
   * @param factor at least 1; 1 is this machine
   * @param signal ends the sleep
   */
  constructor(factor: number, clock: Clock, signal: AbortSignal) {
    this.#factor = factor;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** How long the steps may take here so that, with the sleep, they take no longer than a limit. */
  ownSeconds(limit: number | null): number | null {
    return limit === null ? null : limit / this.#factor;
  }

  /** Calls `tell` when the slower device would: `seconds` of steps have passed here. */
  tell(seconds: number, tell: () => void): void {
    if (this.#factor === 1) return tell();
    const dueMs = this.#dueMs(seconds);
    this.#told = this.#told.then(() => this.#sleepUntil(dueMs)).then(tell);
    // Told to whoever waits for the end.
    this.#told.catch(() => {});
  }

  /**
   * Sleeps what the slower device would still need; called when the steps are done.
   *
   * @param seconds that the steps took here
   * @returns seconds that they took with the sleep
   * @throws the signal's reason
   */
  async finish(seconds: number): Promise<number> {
    if (this.#factor === 1) return seconds;
    const doneMs = this.#clock.monotonicMs();
    const dueMs = this.#dueMs(seconds);
    await this.#told;
    await this.#sleepUntil(dueMs);
    return seconds + (this.#clock.monotonicMs() - doneMs) / 1000;
  }

  #dueMs(seconds: number): number {
    return this.#clock.monotonicMs() + (this.#factor - 1) * seconds * 1000;
  }

  async #sleepUntil(dueMs: number): Promise<void> {
    const leftMs = dueMs - this.#clock.monotonicMs();
    if (leftMs > 0) await this.#clock.sleep(leftMs, this.#signal);
  }
}
