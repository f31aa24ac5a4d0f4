/** How fast a client's link moves bytes, as measured, and how long a transfer over it may thus take. */

/** What any transfer may take beside its bytes: a connection, a busy receiver. */
export const ALLOWANCE_MS = 30_000;
/** A transfer may be so many times slower than the link was. */
const SLACK = 8;
/** Bytes a second that are counted on before anything was measured, and the least at any time. */
const UNMEASURED = 64 * 1024;
const FLOOR = 8 * 1024;
/** Shorter transfers measure the way there and back, not the link. */
const LEAST_BYTES = 64 * 1024;
/** Share of a faster transfer in the estimate; a slower one counts at once. */
const OF_FASTER = 0.25;
/** The longest time that a timer can wait: 24 days. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** One transfer over a link; its owner calls {@link end} whatever becomes of it. */
export class TimedTransfer {
  #begun: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly speed: LinkSpeed, readonly bytes: number) {}

  /** The first byte may move now. @param expire called if the transfer has not ended in time */
  begin(expire: () => void): void {
    this.#begun = performance.now();
    // By a timer, as the clock may jump.
    this.#timer = setTimeout(() => {
      this.#begun = null;
      this.speed.missed(this.bytes);
      expire();
    }, Math.min(this.speed.deadlineMs(this.bytes), MAX_TIMER_MS));
  }

  /** All bytes have moved. */
  moved(): void {
    if (this.#begun !== null) this.speed.moved(this.bytes, performance.now() - this.#begun);
    this.end();
  }

  end(): void {
    this.#begun = null;
    clearTimeout(this.#timer);
  }
}

/** The measured speed of one client's link. */
export class LinkSpeed {
  /** Bytes a second; null before the first measurement. */
  #measured: number | null = null;

  /** @param allowanceMs what any transfer may take beside its bytes */
  constructor(readonly allowanceMs = ALLOWANCE_MS) {}

  /** A transfer that is about to begin. */
  time(bytes: number): TimedTransfer {
    return new TimedTransfer(this, bytes);
  }

  /** Milliseconds after which a transfer of so many bytes has failed. */
  deadlineMs(bytes: number): number {
    const counted = this.#measured === null ? UNMEASURED : this.#measured / SLACK;
    return this.allowanceMs + bytes / Math.max(counted, FLOOR) * 1000;
  }

  /** A transfer has taken so long. */
  moved(bytes: number, ms: number): void {
    if (bytes < LEAST_BYTES) return;
    const speed = bytes / Math.max(ms, 1) * 1000;
    const before = this.#measured ?? speed;
    this.#measured = speed < before ? speed : before + OF_FASTER * (speed - before);
  }

  /** A transfer has missed its deadline: the next one gets more time. */
  missed(bytes: number): void {
    const most = bytes / this.deadlineMs(bytes) * 1000;
    this.#measured = Math.min(this.#measured ?? most, most);
  }
}
