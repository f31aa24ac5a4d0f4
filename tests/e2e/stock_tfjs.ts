/** Opens a run's model with nothing but stock tfjs and reads its files by their published formats. */
import * as tf from "@tensorflow/tfjs";
import { createHash } from "node:crypto";
import { join } from "node:path";

const PIXELS = 28 * 28;

/** Items as rows of pixels in [0, 1], with their labels. */
export interface Images {
  readonly pixels: Float32Array;
  readonly labels: Uint8Array;
}

/** Reads a dataset folder's pair of IDX files: 16 and 8 bytes of header, then plain bytes. */
export async function readImages(folder: string): Promise<Images> {
  const images = await Deno.readFile(join(folder, "images-idx3-ubyte"));
  const labels = await Deno.readFile(join(folder, "labels-idx1-ubyte"));
  return {
    pixels: Float32Array.from(images.subarray(16), (byte) => byte / 255),
    labels: labels.subarray(8),
  };
}

/** Opens `model/model.json` of a run over HTTP, as a page would. */
export async function openModel(runFolder: string): Promise<tf.LayersModel> {
  await tf.setBackend("cpu");
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (ask) => new Response(await Deno.readFile(join(runFolder, new URL(ask.url).pathname))),
  );
  return await tf.loadLayersModel(`http://127.0.0.1:${server.addr.port}/model/model.json`);
}

/** Fraction of the images that a model tells right. */
export function accuracyOf(model: tf.LayersModel, { pixels, labels }: Images): number {
  const batch = 1000;
  let right = 0;
  for (let start = 0; start < labels.length; start += batch) {
    const rows = pixels.subarray(start * PIXELS, (start + batch) * PIXELS);
    const told = tf.tidy(() => {
      const logits = model.predict(tf.tensor4d(rows, [rows.length / PIXELS, 28, 28, 1]));
      return (logits as tf.Tensor).argMax(-1).dataSync();
    });
    told.forEach((label, i) => right += label === labels[start + i] ? 1 : 0);
  }
  return right / labels.length;
}

/** A safetensors file's hash and tensors, in order of name. */
export async function readSafetensors(path: string) {
  const bytes = await Deno.readFile(path);
  const dataStart = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: _, ...entries } = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, dataStart)),
  ) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  const tensors = Object.entries(entries).map(([name, { dtype, shape, data_offsets }]) => {
    const [from, to] = data_offsets.map((offset) => dataStart + offset);
    return { name, dtype, shape, values: new Float32Array(bytes.slice(from, to).buffer) };
  });
  return { sha256: createHash("sha256").update(bytes).digest("hex"), tensors };
}
