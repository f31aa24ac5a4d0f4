/** The door of aggregation: an update is checked while it streams in, before it is stored. */
import { areFinite } from "../aggregation/finite.ts";
import { WeightsError } from "../core/errors.ts";
import { checkLayout, decodeLayout, encodedSize, type Layout, sizeOf } from "../core/weights.ts";
import type { UpdateHeader } from "../rpc/transport.ts";

const FLOAT_BYTES = 4;
/** Room for another encoder's spacing in the safetensors header. */
const HEADER_SLACK_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

/**
 * Checks what a client says of its update.
 *
 * @throws {WeightsError} impossible size, no samples, or metrics that are not numbers
 */
export function checkUpdateHeader(header: UpdateHeader, layout: Layout): void {
  const most = encodedSize(layout) + HEADER_SLACK_BYTES;
  const least = sizeOf(layout) * FLOAT_BYTES;
  if (!(header.bytes >= least && header.bytes <= most)) {
    throw new WeightsError(
      `Cannot use an update that claims ${header.bytes} bytes: expected ${least} to ${most}`,
    );
  }
  if (!Number.isSafeInteger(header.samples) || header.samples < 1) {
    throw new WeightsError(
      `Cannot use an update trained on ${header.samples} samples: expected a whole number above 0`,
    );
  }
  const { loss, accuracy } = header.metrics;
  if (!Number.isFinite(loss) || (accuracy !== null && !(accuracy >= 0 && accuracy <= 1))) {
    throw new WeightsError(
      `Cannot use an update with loss ${loss} and accuracy ${accuracy}: expected finite numbers`,
    );
  }
}

/**
 * Passes an update's bytes on while checking them: the layout, every value finite, the size as
 * claimed. Holds no more than the safetensors header and one piece at a time.
 *
 * @param claimed bytes that the client announced
 * @throws {WeightsError} naming the tensor and what is wrong with it, as soon as it is seen
 */
export async function* checkedUpdate(
  pieces: AsyncIterable<Uint8Array>,
  claimed: number,
  layout: Layout,
): AsyncGenerator<Uint8Array> {
  let received = 0;
  let head: Uint8Array = EMPTY;
  let checker: FiniteChecker | null = null;
  let expected = 0;
  const longestHeader = encodedSize(layout) - sizeOf(layout) * FLOAT_BYTES + HEADER_SLACK_BYTES;
  for await (const piece of pieces) {
    received += piece.length;
    if (received > claimed) {
      throw new WeightsError(`Cannot use an update of more than the ${claimed} bytes it claims`);
    }
    if (checker !== null) checker.push(piece);
    else {
      head = concat(head, piece);
      const dataStart = headerEnd(head, longestHeader);
      if (dataStart !== null) {
        checkLayout(decodeLayout(head).layout, layout);
        checker = new FiniteChecker(layout);
        expected = dataStart + sizeOf(layout) * FLOAT_BYTES;
        checker.push(head.subarray(dataStart));
        head = EMPTY;
      }
    }
    yield piece;
  }
  if (received !== claimed) {
    throw new WeightsError(`Cannot use an update of ${received} bytes: it claims ${claimed}`);
  }
  if (checker === null || received !== expected) {
    const needed = checker === null ? "the whole header" : `${expected}`;
    throw new WeightsError(`Cannot use an update of ${received} bytes: expected ${needed}`);
  }
}

/** Where the tensors start, once the whole header has come; null before. */
function headerEnd(head: Uint8Array, longestHeader: number): number | null {
  if (head.length < 8) return null;
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  // A header that claims to be larger than a whole update is for decodeLayout to refuse.
  return head.length >= 8 + length || length > longestHeader ? 8 + length : null;
}

/** Looks for NaN and Inf in little-endian floats that come in pieces of any size. */
class FiniteChecker {
  /** Whole floats seen. */
  floats = 0;
  /** A float that goes on in the next piece, and how many of its bytes are here. */
  readonly #open = new Uint8Array(FLOAT_BYTES);
  #filled = 0;

  constructor(readonly layout: Layout) {}

  push(piece: Uint8Array): void {
    let start = 0;
    if (this.#filled > 0) {
      start = Math.min(FLOAT_BYTES - this.#filled, piece.length);
      this.#open.set(piece.subarray(0, start), this.#filled);
      this.#filled += start;
      if (this.#filled < FLOAT_BYTES) return;
      this.#check(this.#open);
    }
    const end = piece.length - (piece.length - start) % FLOAT_BYTES;
    this.#check(piece.subarray(start, end));
    this.#open.set(piece.subarray(end));
    this.#filled = piece.length - end;
  }

  #check(floats: Uint8Array): void {
    if (!areFinite(floats)) this.#refuse(floats);
    this.floats += floats.length / FLOAT_BYTES;
  }

  #refuse(floats: Uint8Array): never {
    const view = new DataView(floats.buffer, floats.byteOffset, floats.byteLength);
    let start = 0;
    while (Number.isFinite(view.getFloat32(start, true))) start += FLOAT_BYTES;
    const value = view.getFloat32(start, true);
    const index = this.floats + start / FLOAT_BYTES;
    const tensor = this.layout.find(({ offset, size }) => index < offset + size);
    throw new WeightsError(
      `Cannot use an update with ${value} in tensor "${tensor?.name}" at ${
        index - (tensor?.offset ?? 0)
      }`,
    );
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
