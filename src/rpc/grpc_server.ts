/**
 * The client's end of the wire: serves `EdgeHandlers` on a sync and an async port by gRPC. Import it
 * only when a server is to be opened, as grpc-js costs start-up time.
 */
import { type ChannelOptions, Server } from "@grpc/grpc-js";
import { MAX_PACKAGE_BYTES } from "../core/model_package.ts";
import type { Logger } from "../log/log.ts";
import { collecting, streaming, unary, unimplemented, write } from "./grpc_calls.ts";
import { DEFAULT_FRAME_BYTES, framesOf } from "./frames.ts";
import { HeldUpdates } from "./held_updates.ts";
import { listen } from "./listen.ts";
import { receiveFile, receivePackage, receiveWeights } from "./receive.ts";
import { edgeRpcs } from "./services.ts";
import type { EdgeHandlers } from "./transport.ts";
import {
  evaluationToWire,
  type FetchRequest,
  jobFromWire,
  type JobRequest,
  type PackageStep,
  progressToWire,
  type ReleaseRequest,
  type Text,
  type TrainingEvent,
  type UpdateChunk,
  updateToWire,
  type UploadFile,
  type WeightsStep,
} from "./wire.ts";
import type { Inventory } from "./wire.ts";

/** Largest weights that a client accepts unless told otherwise: 1000 MiB, as in the original. */
export const DEFAULT_MAX_WEIGHTS_BYTES = 1000 * 1024 * 1024;

/** What and where to serve. */
export interface EdgeServerOptions {
  /** Address to bind, such as `127.0.0.1`. */
  readonly host: string;
  /** Port for short calls and for what the leader sends; 0 for any free one. */
  readonly syncPort: number;
  /** Port for training; 0 for any free one. */
  readonly asyncPort: number;
  readonly handlers: EdgeHandlers;
  readonly limits?: {
    /** @default {DEFAULT_MAX_WEIGHTS_BYTES} */
    readonly maxWeightsBytes?: number;
  };
  readonly logger: Logger;
}

/** A client that can be called. */
export interface EdgeServer {
  /** `host:port` bound. */
  readonly sync: string;
  /** `host:port` bound. */
  readonly async: string;
  /** Ends calls in flight and frees both ports. */
  close(): Promise<void>;
}

const SERVER_OPTIONS: ChannelOptions = {
  // One message: a frame, or a whole file in one chunk from a stock client of the original.
  "grpc.max_receive_message_length": MAX_PACKAGE_BYTES + 64 * 1024,
  "grpc.enable_channelz": 0,
};

/**
 * Serves a client's handlers.
 *
 * @throws {PortTakenError} another process holds one of the ports
 * @throws {FileAccessError} the address cannot be bound for another reason
 */
export async function serveEdge(options: EdgeServerOptions): Promise<EdgeServer> {
  const { host, handlers, logger } = options;
  const maxBytes = options.limits?.maxWeightsBytes ?? DEFAULT_MAX_WEIGHTS_BYTES;
  const syncServer = new Server(SERVER_OPTIONS);
  addEdgeService(syncServer, handlers, logger);
  addClientStore(syncServer, handlers, maxBytes, logger);
  const asyncServer = new Server(SERVER_OPTIONS);
  addClientTraining(asyncServer, handlers, logger);
  const sync = await listen(syncServer, host, options.syncPort, "sync");
  try {
    const async = await listen(asyncServer, host, options.asyncPort, "async");
    return {
      sync: sync.address,
      async: async.address,
      async close() {
        await Promise.all([sync.close(), async.close()]);
      },
    };
  } catch (error) {
    await sync.close();
    throw error;
  }
}

function addEdgeService(server: Server, handlers: EdgeHandlers, logger: Logger): void {
  const elsewhere = unimplemented(
    "Cannot take this call as its messages are Python pickles: this client speaks flotilla.v1",
  );
  server.addService({ ...edgeRpcs().edge }, {
    Echo: unary<Text, Text>(logger, async ({ text }) => ({ text: await handlers.echo(text) })),
    StreamFile: collecting<UploadFile, Text>(logger, async (steps) => {
      const { modelId, fileName, bytes } = await receiveFile(steps);
      return { text: await handlers.receiveFile(modelId, fileName, bytes) };
    }),
    InitBench: elsewhere,
    StartTraining: elsewhere,
    StartValidation: elsewhere,
  });
}

function addClientStore(
  server: Server,
  handlers: EdgeHandlers,
  maxBytes: number,
  logger: Logger,
): void {
  server.addService({ ...edgeRpcs().store }, {
    Inventory: unary<Inventory, Inventory>(
      logger,
      ({ packages, weights }) => handlers.inventory({ packages, weights }),
    ),
    PutModelPackage: collecting<PackageStep, object>(logger, async (steps) => {
      await handlers.receivePackage(await receivePackage(steps));
      return {};
    }),
    PutWeights: collecting<WeightsStep, object>(logger, async (steps) => {
      const { id, size, bytes } = await receiveWeights(steps, maxBytes);
      await handlers.receiveWeights(id, size, bytes);
      return {};
    }),
  });
}

function addClientTraining(server: Server, handlers: EdgeHandlers, logger: Logger): void {
  const held = new HeldUpdates();
  server.addService({ ...edgeRpcs().training }, {
    StartTraining: streaming<JobRequest, TrainingEvent>(logger, async (request, stream, signal) => {
      let open = true;
      const { header, bytes } = await handlers.train(jobFromWire(request), (progress) => {
        // A leader that reads slowly misses some progress rather than holding up the training.
        if (open && !signal.aborted && !stream.writableNeedDrain) {
          stream.write({ progress: progressToWire(progress) });
        }
      }, signal);
      open = false;
      // Together, as both end when the leader goes away: a rejection that nobody awaits ends a client.
      await Promise.all([
        held.hold(header.weights, bytes, signal),
        write(stream, { update: updateToWire(header) }, signal),
      ]);
      await write(stream, { done: {} }, signal);
    }),
    FetchUpdate: streaming<FetchRequest, UpdateChunk>(logger, async (request, stream, signal) => {
      const bytes = held.find(request.weights);
      for (const chunk of framesOf(bytes, DEFAULT_FRAME_BYTES)) {
        await write(stream, { chunk }, signal);
      }
      held.fetched(request.weights);
    }),
    StartValidation: unary<JobRequest, object>(logger, async (request, signal) => ({
      evaluation: evaluationToWire(await handlers.validate(jobFromWire(request), signal)),
    })),
    ReleaseSession: unary<ReleaseRequest, object>(logger, async ({ session }) => {
      await handlers.release(session);
      return {};
    }),
    InitBench: unimplemented("Cannot measure training speed yet"),
  });
}
