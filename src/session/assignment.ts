/**
 * One client's part in one round: send what it lacks, let it train, check and store what comes
 * back. Assignments run side by side; none waits for another.
 */
import { RpcError } from "../core/errors.ts";
import type { Clock } from "../core/clock.ts";
import type { ClientRef, WeightsId } from "../core/ids.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { Layout } from "../core/weights.ts";
import type { ClientLink, TrainJob, UpdateHeader } from "../rpc/transport.ts";
import type { Blobs } from "../state/store.ts";
import type { LiveNote, UpdateReceived } from "./events.ts";
import { checkedUpdate, checkUpdateHeader } from "./update_check.ts";

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
  /** Bound of each call but training, in milliseconds; transfers have closer ones of their own. */
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
    }, { signal: context.signal, deadlineMs: trainingDeadlineMs(job, context.longestCallMs) });
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
  const { link, signal, longestCallMs } = context;
  const call = { signal, deadlineMs: longestCallMs };
  const held = await link.inventory(
    { packages: [modelPackage.hash], weights: [id] },
    { signal, deadlineMs: Math.min(SMALL_CALL_MS, longestCallMs) },
  );
  let sent = 0;
  if (!held.packages.includes(modelPackage.hash)) {
    sent += await link.putModelPackage(modelPackage, call);
  }
  if (!held.weights.includes(id)) {
    sent += await link.putWeights(id, await assignment.readWeights(), call);
  }
  return sent;
}

/** Milliseconds that a training call may take, the transfer of the update included. */
export function trainingDeadlineMs({ options }: TrainJob, longestCallMs: number): number {
  const { timeLimitSeconds } = options;
  const training = timeLimitSeconds === null ? LONGEST_TRAINING_MS : timeLimitSeconds * 1000;
  return training + PREPARATION_MS + longestCallMs;
}
