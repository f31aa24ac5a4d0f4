/** The door of aggregation: an update is checked while it streams in, before it is stored. */
import { WeightsError } from "../core/errors.ts";
import { checkLayout, decodeLayout, encodedSize, type Layout, sizeOf } from "../core/weights.ts";
import type { UpdateHeader } from "../rpc/transport.ts";

const FLOAT_BYTES = 4;
/** Room for another encoder's spacing in the safetensors header. */
const HEADER_SLACK_BYTES = 64 * 1024;

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
  let head = new Uint8Array(0);
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
  #rest = new Uint8Array(0);

  constructor(readonly layout: Layout) {}

  push(piece: Uint8Array): void {
    const bytes = this.#rest.length > 0 ? concat(this.#rest, piece) : piece;
    const count = Math.floor(bytes.length / FLOAT_BYTES);
    this.#rest = new Uint8Array(bytes.subarray(count * FLOAT_BYTES));
    const values = floatsOf(bytes, count);
    // 0 * x is 0 for a finite x and NaN for all others, so one comparison serves the whole piece.
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += 0 * values[i]!;
    if (sum !== 0) this.#refuse(values);
    this.floats += count;
  }

  #refuse(values: Float32Array): never {
    const inPiece = values.findIndex((value) => !Number.isFinite(value));
    const index = this.floats + inPiece;
    const tensor = this.layout.find(({ offset, size }) => index < offset + size);
    throw new WeightsError(
      `Cannot use an update with ${values[inPiece]} in tensor "${tensor?.name}" at ${
        index - (tensor?.offset ?? 0)
      }`,
    );
  }
}

/** The first `count` floats of the bytes: a view where they are aligned, a copy otherwise. */
function floatsOf(bytes: Uint8Array, count: number): Float32Array {
  const whole = bytes.subarray(0, count * FLOAT_BYTES);
  // Not slice(): a Node Buffer, as a transport may give, would answer with another view.
  const aligned = whole.byteOffset % FLOAT_BYTES === 0 ? whole : new Uint8Array(whole);
  return new Float32Array(aligned.buffer, aligned.byteOffset, count);
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
