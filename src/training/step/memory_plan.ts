/** Places in one arena for values that live at different times: first fit among the free gaps. */

/** Bytes between places, so that a vector read across an end meets nothing foreign. */
const GUARD = 16;
/** A line of the cache. */
const ALIGNMENT = 64;

/** A stretch of memory, in bytes. */
export interface Place {
  readonly address: number;
  readonly bytes: number;
}

/** Gives out places and takes them back. */
export class Arena {
  readonly #taken: Place[] = [];
  #top: number;

  /**
   * @param base the first byte that may be given out
   * @param alignment of all places, in bytes
   */
  constructor(readonly base: number, readonly alignment = ALIGNMENT) {
    this.#top = base;
  }

  /** One byte behind the highest place ever given out. */
  get top(): number {
    return this.#top;
  }

  take(bytes: number): Place {
    const size = Math.ceil((bytes + GUARD) / this.alignment) * this.alignment;
    let address = Math.ceil(this.base / this.alignment) * this.alignment;
    let index = 0;
    for (; index < this.#taken.length; index++) {
      const next = this.#taken[index]!;
      if (address + size <= next.address) break;
      address = next.address + next.bytes;
    }
    const place = { address, bytes: size };
    this.#taken.splice(index, 0, place);
    this.#top = Math.max(this.#top, address + size);
    return place;
  }

  release(place: Place): void {
    const index = this.#taken.indexOf(place);
    if (index < 0) throw new RangeError(`Cannot release ${place.address} as it is not taken`);
    this.#taken.splice(index, 1);
  }
}
