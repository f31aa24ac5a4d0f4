/**
 * A leader without sockets: the real sessions, directory, engine and in-process transport, with a
 * trainer and clients that only add.
 */
import { type Clock, systemClock } from "../../src/core/clock.ts";
import type { ModelPackage } from "../../src/core/model_package.ts";
import { openStrategy } from "../../src/custom/open_strategy.ts";
import { type Logger, silentLogger } from "../../src/log/log.ts";
import { createInProcessTransport } from "../../src/rpc/in_process.ts";
import type { CheckpointFolder } from "../../src/server/checkpoint_folder.ts";
import { Directory } from "../../src/server/directory.ts";
import type { ResultsKeeper } from "../../src/server/results_keeper.ts";
import { Sessions } from "../../src/server/sessions.ts";
import type { SessionEvent } from "../../src/session/events.ts";
import { openMemoryStore } from "../../src/state/memory.ts";
import type { Store } from "../../src/state/store.ts";
import { clientAdvert } from "../fixtures/adverts.ts";
import { Collected } from "../fixtures/collected.ts";
import { FakeTrainer } from "../fixtures/fake_trainer.ts";
import { PACKAGE, SumClient } from "../session/world.ts";

/** Results that were saved, and whether they can be. */
export class SavedResults implements ResultsKeeper {
  readonly saved: { id: string; end: SessionEvent; hasModel: boolean }[] = [];
  /** Set to refuse. */
  error: Error | null = null;

  checkWritable(): Promise<void> {
    return this.error === null ? Promise.resolve() : Promise.reject(this.error);
  }

  save(...[state, last, model]: Parameters<ResultsKeeper["save"]>): Promise<void> {
    if (this.error !== null) return Promise.reject(this.error);
    this.saved.push({ id: state.id, end: last.event, hasModel: model !== null });
    return Promise.resolve();
  }

  folderOf(id: string): string | null {
    return this.saved.some((kept) => kept.id === id) ? `/runs/${id}` : null;
  }
}

/** What a {@link Leader} is made of; all have defaults. */
export interface LeaderOptions {
  readonly store?: Store;
  readonly clients?: readonly SumClient[];
  readonly clock?: Clock;
  readonly logger?: Logger;
  readonly newId?: () => string;
  readonly checkpoints?: CheckpointFolder;
  readonly refuse?: FakeTrainer["refuse"];
  readonly findPackage?: () => Promise<ModelPackage>;
}

/** A leader with its surroundings. */
export class Leader {
  readonly store: Store;
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly results = new SavedResults();
  /** Trainers opened so far. */
  readonly trainers: FakeTrainer[] = [];
  readonly #clients = new Map<string, SumClient>();

  constructor(options: LeaderOptions = {}) {
    const { store = openMemoryStore(), clock = systemClock, clients = [] } = options;
    const { logger = silentLogger } = options;
    this.store = store;
    const transport = createInProcessTransport({
      find: (id) => this.#clients.get(id),
      clock,
    });
    this.directory = new Directory({
      clock,
      logger,
      connect: (id, endpoints) => transport.connect(id, endpoints),
      isSilent: () => false,
      readvertise: () => {},
      heard: (client) => this.sessions.heard(client),
    });
    this.sessions = new Sessions({
      store,
      directory: this.directory,
      clock,
      logger,
      results: this.results,
      validationSets: {
        root: "/data",
        find: (name) => Promise.resolve(name === "D" ? "/data/D" : null),
      },
      findPackage: options.findPackage ?? (() => Promise.resolve(PACKAGE)),
      openTrainer: () => {
        const trainer = new FakeTrainer(options.refuse);
        this.trainers.push(trainer);
        return trainer;
      },
      openStrategy: (file, code) => openStrategy(file, code, { callLimitMs: 5000 }),
      newId: options.newId ?? (() => crypto.randomUUID()),
      drawSeed: () => 99,
      checkpoints: options.checkpoints ?? null,
      longestCallMs: 60_000,
      returnMs: 0,
    });
    for (const client of clients) this.join(client);
  }

  /** A client answers and has said so. */
  join(client: SumClient): void {
    const { id, name, samples } = client;
    this.#clients.set(id, client);
    const datasets = { D: { dataset_details: {}, metadata: { num_items: samples } } };
    const advert = clientAdvert({ name, datasets });
    this.directory.hear({ kind: "advert", client: id, advert });
  }

  /** A client does not answer any more, and nobody knows. */
  vanish({ id }: SumClient): void {
    this.#clients.delete(id);
  }

  /** All events of a run until it ends. */
  async events(id: string): Promise<SessionEvent[]> {
    const items = this.sessions.follow(id, 0, AbortSignal.timeout(10_000));
    const events: SessionEvent[] = [];
    for await (const item of items) if (item.kind === "event") events.push(item.entry.event);
    return events;
  }

  /** Types of all journalled events. */
  async journalled(id: string): Promise<string[]> {
    return (await this.store.journal.read(id)).map(({ event }) => event.type);
  }
}

/** A client whose training a test lets go. */
export class HeldClient extends SumClient {
  readonly atWork: Collected<number>;
  readonly #letGo: () => void;

  constructor(name = "c_1") {
    const atWork = new Collected<number>();
    let letGo = () => {};
    const gate = new Promise<void>((resolve) => letGo = resolve);
    super(`id of ${name}`, name, 10, 1, async (job, honest, signal) => {
      atWork.add(job.round);
      await Promise.race([
        gate,
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ]);
      return honest();
    });
    this.atWork = atWork;
    this.#letGo = letGo;
  }

  /** Lets it train now and from now on. */
  letGo(): void {
    this.#letGo();
  }
}
