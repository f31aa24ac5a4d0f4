/** How the batches of a dataset lie in the memory of compiled steps. */
import { channelAffine } from "../data/batch.ts";
import { elements, type ItemKind } from "../data/dataset.ts";
import type { LoadShape } from "../kernels/mod.ts";
import { lanesFor } from "./step/blocks.ts";
import type { Mode } from "./step/program.ts";

/** A batch as it lies in memory. */
export interface BatchShape {
  readonly samples: number;
  readonly lanes: number;
  /** There are lanes behind the last sample. */
  readonly padded: boolean;
  /** The samples are one, twice: what is random must be the same for both. */
  readonly alone: boolean;
}

/** Of a batch with so many items. */
export function batchShape(size: number): BatchShape {
  // One sample cannot be told from other axes of 1, so a lone one is computed twice.
  const samples = Math.max(2, size);
  const lanes = lanesFor(samples);
  return { samples, lanes, padded: lanes !== samples, alone: size === 1 };
}

/** How the items of a dataset become a batch: types, factors and offsets. */
export function loadShape(
  { type, shape, normalise }: ItemKind,
  samples: number,
  batch: number,
): LoadShape {
  const features = elements(shape);
  const scale = type === "u8" ? 1 / 255 : 1;
  const affine = normalise === null
    ? { factor: [scale], offset: [0] }
    : channelAffine(normalise, scale, shape.at(-1) ?? 1);
  return {
    type,
    features,
    samples,
    batch,
    itemBytes: type === "u8" ? Math.ceil(features / 4) * 4 : features * 4,
    factors: [...affine.factor],
    offsets: [...affine.offset],
  };
}

/** The sizes of batches into which so many items are cut: full ones and a smaller last one. */
export function batchSizes(items: number, batchSize: number): number[] {
  const full = items >= batchSize ? [batchSize] : [];
  return items % batchSize === 0 ? full : [...full, items % batchSize];
}

/** The name of the step for batches of a shape. */
export function stepKey(mode: Mode, { samples, alone }: BatchShape): string {
  return `${mode} ${alone ? 1 : samples}`;
}
