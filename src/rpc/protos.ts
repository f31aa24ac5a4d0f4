/**
 * Loads the proto files. They are read with `readFileSync` relative to this module, not by
 * protobufjs itself: so it works from any folder, from a bundle and inside an executable that
 * includes `proto/`.
 */
import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";
import { readFileSync } from "node:fs";
import protobuf from "protobufjs";

/** Each file as a literal, so that a bundler can find it. */
const PROTO_FILES: readonly URL[] = [
  new URL("../../proto/edge_service.proto", import.meta.url),
  new URL("../../proto/flotilla/v1/train_job.proto", import.meta.url),
  new URL("../../proto/flotilla/v1/client_store.proto", import.meta.url),
  new URL("../../proto/flotilla/v1/client_training.proto", import.meta.url),
];

let loaded: PackageDefinition | undefined;

/** All services of `proto/`, loaded once. Absent optional fields are absent, all others are set. */
export function loadProtos(): PackageDefinition {
  return loaded ??= parseProtos(PROTO_FILES.map((file) => readFileSync(file, "utf8")));
}

/** Services of proto files given as text, all of them in one namespace, whatever they import. */
export function parseProtos(texts: readonly string[]): PackageDefinition {
  const root = new protobuf.Root();
  for (const text of texts) protobuf.parse(text, root);
  return fromJSON(root.toJSON(), { defaults: true, oneofs: true, longs: Number, enums: String });
}
