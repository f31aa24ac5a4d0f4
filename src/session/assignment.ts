/**
 * One client's part in one round: send what it lacks, let it train, check and store what comes
 * back. Assignments run side by side; none waits for another.
 */
import { RpcError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { ClientRef, WeightsId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { encodedSize, type Layout } from "../core/weights.ts";
import type { CallOptions, ClientLink, TrainJob, UpdateHeader } from "../rpc/transport.ts";
import type { Blobs } from "../state/store.ts";
import type { LiveNote, UpdateReceived } from "./events.ts";
import { checkedUpdate, checkUpdateHeader } from "./update_check.ts";

/** Slowest link that a deadline still allows for, in bytes a second. */
const SLOWEST_BYTES_PER_SECOND = 256 * 1024;
/** Allowance for anything that takes no time in health: a connection, a small call. */
const SMALL_CALL_MS = 30_000;
/** Allowance for loading data and building the model before the first step. */
const PREPARATION_MS = 60_000;
/** Without a time limit of its own, a client's training ends after a day. */
const LONGEST_TRAINING_MS = 24 * 3600 * 1000;

/** What a client is to do. */
export interface Assignment {
  readonly client: ClientRef;
  /** The group for which it was selected; null without groups. */
  readonly group: string | null;
  readonly job: TrainJob;
  readonly modelPackage: ModelPackage;
  /**
   * Reads the encoded global weights `job.weights`, when the client lacks them: not held while it
   * trains, as rounds under way may start from many versions.
   */
  readonly readWeights: () => Promise<Uint8Array>;
  /** Layout that the update must have. */
  readonly layout: Layout;
}

/** What sending needs from around it. */
export interface DistributionContext {
  readonly link: ClientLink;
  readonly signal: AbortSignal;
  /** Bound of each call but training, beside its own deadline, in milliseconds. */
  readonly longestCallMs: number;
}

/** What an assignment needs from around it. */
export interface AssignmentContext extends DistributionContext {
  readonly blobs: Blobs;
  readonly clock: Clock;
  note(note: LiveNote): void;
  /** Told as soon as the update is in the store, whatever becomes of the assignment then. */
  stored(weights: WeightsId): void;
}

/**
 * Carries out an assignment.
 *
 * @returns the event that records the stored update
 * @throws {RpcError} the client cannot be reached, refuses, or misses a deadline
 * @throws {WeightsError} the update is not usable
 */
export async function carryOut(
  assignment: Assignment,
  context: AssignmentContext,
): Promise<UpdateReceived> {
  const { client, job } = assignment;
  const { clock, blobs } = context;
  const started = clock.monotonicMs();
  const bytesDown = await distribute(assignment, context);
  let stored: { header: UpdateHeader; bytes: number } | null = null;
  let storing = Promise.resolve();
  const store = async (header: UpdateHeader, bytes: AsyncIterable<Uint8Array>) => {
    checkUpdateHeader(header, assignment.layout);
    const checked = checkedUpdate(bytes, header.bytes, assignment.layout);
    const blob = await blobs.put(checked, header.weights);
    context.stored(blob.id);
    stored = { header, bytes: blob.bytes };
  };
  try {
    await context.link.train(job, {
      progress(progress) {
        context.note({ type: "progress", round: job.round, client, ...progress });
      },
      update: (header, bytes) => storing = store(header, bytes),
    }, { signal: context.signal, deadlineMs: trainingDeadlineMs(assignment) });
  } finally {
    // A call that is cut off is over at once, while the store may still be writing.
    await storing.catch(() => {});
  }
  if (stored === null) {
    throw new RpcError("protocol", "The client ended the call without an update");
  }
  const { header, bytes: bytesUp } = stored as { header: UpdateHeader; bytes: number };
  return {
    type: "update_received",
    round: job.round,
    client,
    ...(assignment.group !== null && { group: assignment.group }),
    weights: header.weights,
    samples: header.samples,
    metrics: header.metrics,
    bytesDown,
    bytesUp,
    seconds: (clock.monotonicMs() - started) / 1000,
  };
}

/** Sends the package and the weights that the client lacks. @returns payload bytes sent */
export async function distribute(
  assignment: Pick<Assignment, "job" | "modelPackage" | "readWeights">,
  context: DistributionContext,
): Promise<number> {
  const { modelPackage, job: { weights: id } } = assignment;
  const { link } = context;
  const held = await link.inventory(
    { packages: [modelPackage.hash], weights: [id] },
    callFor(context, SMALL_CALL_MS),
  );
  let sent = 0;
  if (!held.packages.includes(modelPackage.hash)) {
    sent += await link.putModelPackage(
      modelPackage,
      callFor(context, transferMs(packageBytes(modelPackage))),
    );
  }
  if (!held.weights.includes(id)) {
    const bytes = await assignment.readWeights();
    sent += await link.putWeights(id, bytes, callFor(context, transferMs(bytes.length)));
  }
  return sent;
}

function packageBytes({ files }: ModelPackage): number {
  return Object.values(files).reduce((sum, bytes) => sum + bytes.length, 0);
}

function callFor({ signal, longestCallMs }: DistributionContext, deadlineMs: number): CallOptions {
  return { signal, deadlineMs: Math.min(deadlineMs, longestCallMs) };
}

/** A deadline for moving this many bytes. */
function transferMs(bytes: number): number {
  return SMALL_CALL_MS + (bytes / SLOWEST_BYTES_PER_SECOND) * 1000;
}

/** Milliseconds that a training call may take, its transfers included. */
export function trainingDeadlineMs({ job, layout }: Pick<Assignment, "job" | "layout">): number {
  const { timeLimitSeconds } = job.options;
  const training = timeLimitSeconds === null ? LONGEST_TRAINING_MS : timeLimitSeconds * 1000;
  return training + PREPARATION_MS + transferMs(encodedSize(layout));
}
