/** One run from where it is to its end, with all that a leader adds to the round loop. */
import { aggregators } from "../aggregation/registry.ts";
import type { Clock } from "../core/clock.ts";
import { DeposedError, FlotillaError, messageOf, UnreachableError } from "../core/errors.ts";
import type { ClientId, SessionId, WeightsId } from "../core/ids.ts";
import type { OpenCustomStrategy } from "../custom/custom_strategy.ts";
import type { Logger } from "../log/log.ts";
import { selectors } from "../selection/registry.ts";
import { runSession } from "../session/engine.ts";
import { Patience, patientStore } from "../session/patience.ts";
import type { SessionJournal } from "../session/session_journal.ts";
import type { Store } from "../state/store.ts";
import type { InitialModel, Trainer } from "../training/trainer.ts";
import type { CheckpointFolder } from "./checkpoint_folder.ts";
import type { Directory } from "./directory.ts";
import { closeOwn, openStored, type OwnStrategies } from "./own_strategies.ts";
import type { ResultsKeeper } from "./results_keeper.ts";
import { type PreparedModel, runModel } from "./run_model.ts";

/** The leader is shutting down: runs are left as they are, to be resumed. */
export class Shutdown extends FlotillaError {
  override name = "Shutdown";
}

/** What every run of a leader has around it. */
export interface RunsSurroundings {
  readonly store: Store;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly results: ResultsKeeper;
  /** Opens a strategy that is the user's own code. */
  readonly openStrategy: OpenCustomStrategy;
  /** Where checkpoints are. @default {null} none are written, none can be used */
  readonly checkpoints?: CheckpointFolder | null;
  /** Bound of each call to a client but training, in milliseconds. */
  readonly longestCallMs: number;
  /** Milliseconds that a client which is lost at work has to come back. */
  readonly returnMs: number;
}

/** What one run needs from around it. */
export interface RunSurroundings extends RunsSurroundings {
  /** The run's model, built if it was not. @throws {ModelError | SessionFailedError} it cannot be */
  openModel(): Promise<PreparedModel>;
  /** The trainer that evaluates. */
  trainer(): Trainer;
  /** Whether weights are needed beside this run. */
  isNeededElsewhere(weights: WeightsId): boolean;
  /** Told whom the end of the run did not reach. */
  notReleased(clients: readonly ClientId[]): void;
}

/**
 * Carries out a run to its end, which is journalled unless the signal says {@link Shutdown} or the
 * journal takes no more: then it stays open.
 */
export async function carryOutRun(
  journal: SessionJournal,
  signal: AbortSignal,
  around: RunSurroundings,
): Promise<void> {
  const { directory, clock, logger, longestCallMs, returnMs, results, store, openStrategy } =
    around;
  const { config } = journal.state;
  const { aggregator, client_selection: selector } = config.session_config;
  // Not the whole model: its initial weights must go when the round loop lets go of them.
  let initial: Pick<InitialModel, "topology"> | null = null;
  let own: OwnStrategies = {};
  const patience = new Patience({
    clock,
    signal,
    onPause(reason) {
      logger.warning("session_paused", `Session ${journal.id} is paused: ${reason}`);
      journal.note({ type: "paused", reason });
    },
    onResume(pausedMs) {
      const seconds = pausedMs / 1000;
      logger.info(
        "session_goes_on",
        `Session ${journal.id} goes on after ${seconds.toFixed(1)} s`,
      );
      journal.note({ type: "resumed", seconds });
    },
  });
  journal.reachBy(patientStore(store, patience));
  const openModel = async () => {
    const model = await around.openModel();
    initial = { topology: model.initial.topology };
    return runModel(config, model, around.trainer);
  };
  try {
    own = await openStored(journal.state, store.blobs, openStrategy);
    const ended = await runSession(
      {
        journal,
        fleet: directory,
        // Both names have passed the config's schema.
        selector: own.client_selection?.selector() ??
          selectors[selector as keyof typeof selectors],
        aggregator: own.aggregator?.aggregator() ??
          aggregators[aggregator as keyof typeof aggregators],
        clock,
        logger: logger.with({ session: journal.id }),
        longestCallMs,
        returnMs,
        isNeededElsewhere: (weights) => around.isNeededElsewhere(weights),
        notReleased: (clients) => around.notReleased(clients),
        saveCheckpoint: (round) =>
          patience.through(() => saveCheckpoint(journal.id, round, around)),
        async saveResults(state, last, given) {
          const { weights: id } = state;
          const weights = given ?? (id === null ? null : await store.blobs.get(id));
          const kept = initial === null || weights === null ? null : { initial, weights };
          const save = () => results.save(state, last, kept);
          // A model that is ready is worth the wait; the end of a run that has failed is not.
          await (given === null ? save() : patience.through(save, given.length));
        },
      },
      openModel,
      signal,
    );
    const reason = ended.reason === null ? "" : `: ${ended.reason}`;
    logger.info("session_ended", `Session ${journal.id} ${ended.status}${reason}`);
  } catch (error) {
    if (signal.reason instanceof Shutdown) return;
    logger.error("session_broken", `Session ${journal.id}: ${messageOf(error)}`);
    // Its followers find it with the leader that has taken over.
    if (error instanceof DeposedError && error.leader !== null) return;
    if (journal.ended) return;
    // The journal cannot take the end of this run: it stays open, for the next start to resume.
    const later = error instanceof DeposedError
      ? ""
      : ". The server goes on with the run when it starts again";
    journal.breakOff(`${messageOf(error)}${later}`);
  } finally {
    closeOwn(own);
  }
}

/**
 * A run goes on without its checkpoint: its state is in the store.
 *
 * @throws {UnreachableError} the store does not answer
 */
async function saveCheckpoint(
  session: SessionId,
  round: number,
  { checkpoints = null, store, logger }: RunSurroundings,
): Promise<void> {
  try {
    const path = await checkpoints?.write(store, session, round) ?? null;
    if (path === null) return;
    logger.info("checkpoint", `Checkpoint of round ${round} is in ${path}`, { session, round });
  } catch (error) {
    if (error instanceof UnreachableError) throw error;
    logger.error("checkpoint_failed", messageOf(error), { session, round });
  }
}
