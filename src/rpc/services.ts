/**
 * The rpcs as typed values: path, streaming and codecs of each. Serializers hand a `Buffer` through
 * untouched, so that a message encoded once can be sent many times.
 */
import type { MethodDefinition } from "@grpc/proto-loader";
import { Buffer } from "node:buffer";
import { loadProtos } from "./protos.ts";
import type * as wire from "./wire.ts";

/** One rpc; a request or response may also be given as the `Buffer` of its encoding. */
export type Rpc<Request, Response> = MethodDefinition<Request | Buffer, Response | Buffer>;

/** The original's service; the pickle calls have no type as nothing reads them. */
export interface EdgeServiceRpcs {
  readonly Echo: Rpc<wire.Text, wire.Text>;
  readonly StreamFile: Rpc<wire.UploadFile, wire.Text>;
  readonly InitBench: Rpc<unknown, unknown>;
  readonly StartTraining: Rpc<unknown, unknown>;
  readonly StartValidation: Rpc<unknown, unknown>;
}

/** `flotilla.v1.ClientStore`. */
export interface ClientStoreRpcs {
  readonly Inventory: Rpc<wire.Inventory, wire.Inventory>;
  readonly PutModelPackage: Rpc<wire.PackageStep, wire.Empty>;
  readonly PutWeights: Rpc<wire.WeightsStep, wire.Empty>;
}

/** `flotilla.v1.ClientTraining`. */
export interface ClientTrainingRpcs {
  readonly StartTraining: Rpc<wire.JobRequest, wire.TrainingEvent>;
  readonly FetchUpdate: Rpc<wire.FetchRequest, wire.UpdateChunk>;
  readonly StartValidation: Rpc<wire.JobRequest, wire.ValidationResponse>;
  readonly ReleaseSession: Rpc<wire.ReleaseRequest, wire.Empty>;
  readonly InitBench: Rpc<wire.JobRequest, unknown>;
}

/** All that a client serves. */
export interface EdgeRpcs {
  readonly edge: EdgeServiceRpcs;
  readonly store: ClientStoreRpcs;
  readonly training: ClientTrainingRpcs;
}

let rpcs: EdgeRpcs | undefined;

/** The rpcs of `proto/`, loaded once. */
export function edgeRpcs(): EdgeRpcs {
  return rpcs ??= {
    edge: service<EdgeServiceRpcs>("EdgeService"),
    store: service<ClientStoreRpcs>("flotilla.v1.ClientStore"),
    training: service<ClientTrainingRpcs>("flotilla.v1.ClientTraining"),
  };
}

function service<Rpcs>(name: string): Rpcs {
  // The loader knows no message types; the interfaces above say what the proto files declare.
  const definition = loadProtos()[name] as unknown as Record<
    string,
    MethodDefinition<object, object>
  >;
  const entries = Object.entries(definition).map(([rpc, method]) => [rpc, {
    ...method,
    requestSerialize: passingBuffers(method.requestSerialize),
    responseSerialize: passingBuffers(method.responseSerialize),
  }]);
  return Object.fromEntries(entries) as Rpcs;
}

function passingBuffers<Message>(serialize: (message: Message) => Uint8Array) {
  return function serializeOrPass(message: Message | Buffer): Buffer {
    if (Buffer.isBuffer(message)) return message;
    const bytes = serialize(message);
    // Without node's Buffer in reach, as in a bundle, protobufjs gives a plain Uint8Array.
    return Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}
