/**
 * Messages of `flotilla.v1` as the codec gives and takes them, and their translation to and from the
 * contract's types. What arrives is checked here.
 */
import { RpcError } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import type {
  Arithmetic,
  Device,
  Evaluation as CoreEvaluation,
  TrainingMetrics,
} from "../core/metrics.ts";
import type { TrainJob, TrainProgress, UpdateHeader } from "./transport.ts";

/** A message without fields. */
export type Empty = Record<never, never>;

/** The original's `echoMessage` and `StringResponse`. */
export interface Text {
  readonly text: string;
}

/** The original's `UploadFile`: one of the two is set. */
export interface UploadFile {
  readonly metadata?: { readonly modelId: string; readonly fileName: string };
  readonly chunkData?: Uint8Array;
}

export interface Inventory {
  readonly packages: readonly string[];
  readonly weights: readonly string[];
}

/** One of the three is set. */
export interface PackageStep {
  readonly header?: { readonly modelId: string; readonly hash: string };
  readonly file?: { readonly path: string; readonly size: number };
  readonly chunk?: Uint8Array;
}

/** One of the two is set. */
export interface WeightsStep {
  readonly header?: { readonly id: string; readonly size: number };
  readonly chunk?: Uint8Array;
}

/** One of the three is set. */
export interface TrainingEvent {
  readonly progress?: Progress;
  readonly update?: Update;
  readonly done?: Empty;
}

export interface FetchRequest {
  readonly weights: string;
}

export interface ReleaseRequest {
  readonly session: string;
}

export interface UpdateChunk {
  readonly chunk: Uint8Array;
}

interface Progress {
  readonly batchesDone: number;
  readonly batchesTotal: number;
  readonly loss?: number;
}

interface Update extends Omit<UpdateHeader, "metrics"> {
  readonly metrics: Metrics | null;
}

interface Metrics extends Omit<TrainingMetrics, "accuracy" | "test" | "arithmetic" | "device"> {
  readonly accuracy?: number;
  readonly test: Evaluation | null;
  readonly arithmetic: string;
  readonly device: string;
}

interface Evaluation extends Omit<CoreEvaluation, "accuracy"> {
  readonly accuracy?: number;
}

export interface ValidationResponse {
  readonly evaluation: Evaluation | null;
}

export interface JobRequest {
  readonly job: Job | null;
}

interface Job extends Omit<TrainJob, "modelArgs" | "options" | "trainer"> {
  readonly modelArgsJson: string;
  readonly options: Options | null;
  readonly trainer: string;
}

interface Options
  extends Omit<TrainJob["options"], "optimizerArgs" | "timeLimitSeconds" | "maxMiniBatches"> {
  readonly optimizerArgsJson: string;
  readonly timeLimitSeconds?: number;
  readonly maxMiniBatches?: number;
}

const TRAINER_KINDS = {
  train: "TRAINER_KIND_TRAIN",
  echo: "TRAINER_KIND_ECHO",
} as const satisfies Record<TrainJob["trainer"], string>;

const UNSPECIFIED_ARITHMETIC = "ARITHMETIC_UNSPECIFIED";
const ARITHMETICS = {
  fused: "ARITHMETIC_FUSED",
  portable: "ARITHMETIC_PORTABLE",
} as const satisfies Record<Arithmetic, string>;

const UNSPECIFIED_DEVICE = "DEVICE_UNSPECIFIED";
const DEVICES = {
  cpu: "DEVICE_CPU",
  webgpu: "DEVICE_WEBGPU",
} as const satisfies Record<Device, string>;

/** A job as its message. */
export function jobToWire(job: TrainJob): JobRequest {
  const { modelArgs, options, trainer, ...same } = job;
  const { optimizerArgs, timeLimitSeconds, maxMiniBatches, ...sameOptions } = options;
  return {
    job: {
      ...same,
      modelArgsJson: JSON.stringify(modelArgs),
      options: {
        ...sameOptions,
        optimizerArgsJson: JSON.stringify(optimizerArgs),
        ...present("timeLimitSeconds", timeLimitSeconds),
        ...present("maxMiniBatches", maxMiniBatches),
      },
      trainer: TRAINER_KINDS[trainer],
    },
  };
}

/** @throws {RpcError} `protocol`: a part is missing or not what it should be */
export function jobFromWire({ job }: JobRequest): TrainJob {
  const options = job?.options;
  if (!job || !options) throw breach("a job without its parts");
  const trainer = (Object.keys(TRAINER_KINDS) as TrainJob["trainer"][])
    .find((kind) => TRAINER_KINDS[kind] === job.trainer);
  if (trainer === undefined) throw breach(`a job of the unknown kind "${job.trainer}"`);
  return {
    session: job.session,
    round: job.round,
    modelId: job.modelId,
    packageHash: checkedHash(job.packageHash),
    modelArgs: jsonObject(job.modelArgsJson),
    dataset: job.dataset,
    weights: checkedHash(job.weights),
    options: {
      batchSize: options.batchSize,
      epochs: options.epochs,
      learningRate: options.learningRate,
      loss: options.loss,
      optimizer: options.optimizer,
      optimizerArgs: jsonObject(options.optimizerArgsJson),
      timeLimitSeconds: options.timeLimitSeconds ?? null,
      maxMiniBatches: options.maxMiniBatches ?? null,
    },
    seed: job.seed,
    trainer,
  };
}

/** Progress as its message. */
export function progressToWire(progress: TrainProgress): Progress {
  const { batchesDone, batchesTotal, loss } = progress;
  return { batchesDone, batchesTotal, ...present("loss", loss) };
}

/** Progress from its message. */
export function progressFromWire({ batchesDone, batchesTotal, loss }: Progress): TrainProgress {
  return { batchesDone, batchesTotal, loss: loss ?? null };
}

/** An update's header as its message. */
export function updateToWire(header: UpdateHeader): Update {
  const { accuracy, test, arithmetic, device, ...same } = header.metrics;
  return {
    ...header,
    metrics: {
      ...same,
      ...present("accuracy", accuracy),
      test: test && evaluationToWire(test),
      arithmetic: arithmetic === undefined ? UNSPECIFIED_ARITHMETIC : ARITHMETICS[arithmetic],
      device: device === undefined ? UNSPECIFIED_DEVICE : DEVICES[device],
    },
  };
}

/** @throws {RpcError} `protocol`: a part is missing or not what it should be */
export function updateFromWire(update: Update): UpdateHeader {
  const { metrics } = update;
  if (!metrics) throw breach("an update without metrics");
  return {
    weights: checkedHash(update.weights),
    bytes: checkedSize(update.bytes),
    samples: checkedSize(update.samples),
    metrics: {
      loss: metrics.loss,
      accuracy: metrics.accuracy ?? null,
      test: metrics.test && evaluationFromWire(metrics.test),
      epochs: metrics.epochs,
      miniBatches: checkedSize(metrics.miniBatches),
      trainSeconds: metrics.trainSeconds,
      ...present("arithmetic", keyOf(ARITHMETICS, metrics.arithmetic)),
      ...present("device", keyOf(DEVICES, metrics.device)),
    },
  };
}

/** What a later version may add is as unknown as nothing. */
function keyOf<K extends string>(names: Readonly<Record<K, string>>, name: string): K | null {
  return (Object.keys(names) as K[]).find((known) => names[known] === name) ?? null;
}

/** An evaluation as its message. */
export function evaluationToWire(evaluation: CoreEvaluation): Evaluation {
  const { accuracy, ...same } = evaluation;
  return { ...same, ...present("accuracy", accuracy) };
}

/** @throws {RpcError} `protocol`: it is missing */
export function evaluationFromWire(evaluation: Evaluation | null): CoreEvaluation {
  if (!evaluation) throw breach("an answer without an evaluation");
  const { loss, accuracy, samples } = evaluation;
  return { loss, accuracy: accuracy ?? null, samples: checkedSize(samples) };
}

/** @throws {RpcError} `protocol`: it is not a SHA-256 in lower-case hex */
export function checkedHash(hash: string): string {
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  throw breach(`"${hash.slice(0, 80)}" where 64 lower-case hex digits are needed`);
}

/** @throws {RpcError} `protocol`: too large a number to be exact */
export function checkedSize(size: number): number {
  if (Number.isSafeInteger(size) && size >= 0) return size;
  throw breach(`the size ${size}`);
}

/** The other side does not keep to the protocol. */
export function breach(what: string): RpcError {
  return new RpcError("protocol", `Cannot accept ${what}: the other side breaks the protocol`);
}

function jsonObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Not JSON: the check below refuses undefined.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as JsonObject;
  }
  throw breach("arguments that are not a JSON object");
}

/** Null travels as absence. */
function present<Key extends string, Value>(key: Key, value: Value | null): { [K in Key]?: Value } {
  return value === null ? {} : { [key]: value } as { [K in Key]?: Value };
}
