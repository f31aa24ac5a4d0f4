/** Decodes PNG and JPEG into bytes a pixel; each decoder is loaded when first used. */
import { DataError, messageOf } from "../core/errors.ts";

/** Pixels of one image: [height, width, channels]. */
export interface Image {
  readonly pixels: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** 1: grey; 3: red, green, blue. */
  readonly channels: number;
}

/** Whether a file's name is that of an image that can be decoded. */
export function isImageName(name: string): boolean {
  return /\.(png|jpe?g)$/i.test(name) && !name.startsWith(".");
}

/**
 * Decodes an image; transparency is left out, 16 bits become 8.
 *
 * @param channels 1 or 3; null for what the image itself has (a JPEG counts as in colour)
 * @throws {DataError} it is neither PNG nor JPEG, or damaged
 */
export async function decodeImage(
  bytes: Uint8Array,
  label: string,
  channels: number | null,
): Promise<Image> {
  try {
    const decoded = bytes[0] === 0x89 ? await decodePng(bytes) : await decodeJpeg(bytes);
    const wanted = channels ?? (decoded.channels < 3 ? 1 : 3);
    const { width, height } = decoded;
    return { width, height, channels: wanted, pixels: withChannels(decoded, wanted) };
  } catch (error) {
    throw new DataError(`Cannot decode ${label} as an image: ${messageOf(error)}`);
  }
}

/** As decoders give them: grey, grey and alpha, colours, or colours and alpha. */
type Decoded = Image;

async function decodePng(bytes: Uint8Array): Promise<Decoded> {
  const { decode } = await import("fast-png");
  const { width, height, channels, depth, data, palette } = decode(bytes);
  const pixels = palette === undefined ? data : Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => palette[packed(data, depth, width, Math.floor(i / 3))]![i % 3]!,
  );
  if (palette !== undefined) return { width, height, channels: 3, pixels: pixels as Uint8Array };
  if (depth === 16) {
    return { width, height, channels, pixels: Uint8Array.from(pixels, (value) => value >> 8) };
  }
  if (depth < 8) {
    const most = 2 ** depth - 1;
    const grey = Uint8Array.from(
      { length: width * height },
      (_, i) => Math.round(packed(data, depth, width, i) / most * 255),
    );
    return { width, height, channels: 1, pixels: grey };
  }
  return { width, height, channels, pixels: pixels as Uint8Array };
}

/** Pixel `index` of rows that begin at whole bytes and hold `depth` bits a pixel. */
function packed(data: ArrayLike<number>, depth: number, width: number, index: number): number {
  if (depth >= 8) return data[index]!;
  const rowBytes = Math.ceil(width * depth / 8);
  const bit = (index % width) * depth;
  const byte = data[Math.floor(index / width) * rowBytes + (bit >> 3)]!;
  return (byte >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}

async function decodeJpeg(bytes: Uint8Array): Promise<Decoded> {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) {
    throw new DataError("it begins neither as PNG nor as JPEG");
  }
  const { default: jpeg } = await import("jpeg-js");
  const { width, height, data } = jpeg.decode(bytes, { useTArray: true, formatAsRGBA: false });
  return { width, height, channels: 3, pixels: data };
}

function withChannels({ pixels, channels, width, height }: Decoded, wanted: number): Uint8Array {
  if (channels === wanted) return pixels;
  const out = new Uint8Array(width * height * wanted);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = pixel * channels;
    if (wanted === 3) {
      for (let c = 0; c < 3; c++) out[pixel * 3 + c] = pixels[at + (channels < 3 ? 0 : c)]!;
    } else {
      // ITU-R BT.601, as common image libraries weigh colours.
      out[pixel] = channels < 3
        ? pixels[at]!
        : Math.round(0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!);
    }
  }
  return out;
}
