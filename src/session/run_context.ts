/** What a run is given: its model, and what it needs from around it. */
import type { Aggregator } from "../aggregation/aggregator.ts";
import type { Clock } from "../core/clock.ts";
import type { ClientId, WeightsId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { Evaluation } from "../core/metrics.ts";
import type { ModelPackage } from "../core/model_package.ts";
import type { Logger } from "../log/log.ts";
import type { EventualSelector } from "../selection/selector.ts";
import type { SessionEntry } from "./events.ts";
import type { Fleet } from "./fleet.ts";
import type { SessionJournal } from "./session_journal.ts";
import type { SessionState } from "./state.ts";

/** The model of a run, ready to be sent and evaluated. */
export interface RunModel {
  readonly modelPackage: ModelPackage;
  /** Encoded initial weights for a seed; the same seed gives the same bytes. */
  initialWeights(seed: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Evaluates weights on the leader's validation set; null if the leader has none. */
  readonly validate: ((weights: Uint8Array, signal: AbortSignal) => Promise<Evaluation>) | null;
}

/** What a run needs from around it. */
export interface EngineContext {
  readonly journal: SessionJournal;
  readonly fleet: Fleet;
  readonly selector: EventualSelector<JsonObject, JsonObject>;
  readonly aggregator: Aggregator<JsonObject, JsonObject>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bound of each call to a client but training, in milliseconds. */
  readonly longestCallMs: number;
  /** Milliseconds that a client which is lost at work, or over a restart, has to come back. */
  readonly returnMs: number;
  /** Whether another session needs these weights: the same seed, names and data give the same. */
  isNeededElsewhere(weights: WeightsId): boolean;
  /**
   * Writes the run's checkpoint after a finished round, if it is not there.
   *
   * @default no checkpoints are written
   */
  saveCheckpoint?(round: number): Promise<void>;
  /** Told at the end which clients could not be told of it. @default nobody tells them */
  notReleased?(clients: readonly ClientId[]): void;
  /**
   * Keeps the results of a run that is about to end; throws if it cannot.
   *
   * @param state as it will be after the last entry
   * @param last the entry that ends the run, which is not in the journal yet
   * @param weights the encoded global weights; null if they are to be read from the store
   */
  saveResults(
    state: SessionState,
    last: SessionEntry,
    weights: Uint8Array<ArrayBuffer> | null,
  ): Promise<void>;
}
