/** Checks what a leader streams to a client, while it comes and before it takes up memory. */
import { Buffer } from "node:buffer";
import { FlotillaError, ModelError } from "../core/errors.ts";
import { MAX_PACKAGE_BYTES, type ModelPackage } from "../core/model_package.ts";
import type { PackageStep, UploadFile, WeightsStep } from "./wire.ts";
import { breach, checkedHash, checkedSize } from "./wire.ts";

/** A file as the original's `StreamFile` sends it. */
export interface ReceivedFile {
  readonly modelId: string;
  readonly fileName: string;
  readonly bytes: Uint8Array;
}

/**
 * Takes the steps of one `StreamFile` call.
 *
 * @throws {ModelError} a name that is no plain file or model name, or too many bytes
 * @throws {RpcError} `protocol`: the metadata does not come first and once
 */
export async function receiveFile(steps: AsyncIterable<UploadFile>): Promise<ReceivedFile> {
  let metadata: UploadFile["metadata"];
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const step of steps) {
    if (step.metadata) {
      if (metadata) throw breach("a second file in one call");
      metadata = step.metadata;
      checkName("model id", metadata.modelId);
      checkName("file name", metadata.fileName);
    } else if (step.chunkData && metadata) {
      size += step.chunkData.length;
      checkPackageSize(metadata.modelId, size);
      chunks.push(step.chunkData);
    } else {
      throw breach("a file that does not start with its metadata");
    }
  }
  if (!metadata) throw breach("a call without a file");
  return { ...metadata, bytes: Buffer.concat(chunks) };
}

/**
 * Takes the steps of one `PutModelPackage` call; does not check the hash.
 *
 * @throws {ModelError} too many bytes
 * @throws {RpcError} `protocol`: steps out of order, a path twice, or other bytes than announced
 */
export async function receivePackage(steps: AsyncIterable<PackageStep>): Promise<ModelPackage> {
  let header: PackageStep["header"];
  const files = new Map<string, Uint8Array>();
  let current = { path: "", bytes: new Uint8Array(0), filled: 0 };
  let size = 0;
  const endFile = () => {
    if (current.filled !== current.bytes.length) {
      throw breach(
        `${current.filled} bytes of "${current.path}", announced as ${current.bytes.length}`,
      );
    }
  };
  for await (const { header: first, file, chunk } of steps) {
    if (first) {
      if (header) throw breach("a second package in one call");
      header = { modelId: first.modelId, hash: checkedHash(first.hash) };
    } else if (!header) {
      throw breach("a package that does not start with its header");
    } else if (file) {
      endFile();
      if (files.has(file.path)) throw breach(`the file "${file.path}" twice`);
      size += checkedSize(file.size);
      checkPackageSize(header.modelId, size);
      current = { path: file.path, bytes: new Uint8Array(file.size), filled: 0 };
      files.set(file.path, current.bytes);
    } else if (chunk) {
      if (current.filled + chunk.length > current.bytes.length) {
        throw breach(`more bytes of "${current.path}" than announced`);
      }
      current.bytes.set(chunk, current.filled);
      current.filled += chunk.length;
    } else {
      throw breach("an empty step");
    }
  }
  if (!header) throw breach("a call without a package");
  endFile();
  return { id: header.modelId, hash: header.hash, files: Object.fromEntries(files) };
}

/** Weights that begin to arrive. */
export interface IncomingWeights {
  readonly id: string;
  /** Bytes announced. */
  readonly size: number;
  /** Throws if it ends short of `size` or exceeds it. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Takes the header of one `PutWeights` call.
 *
 * @throws {FlotillaError} more bytes announced than allowed
 * @throws {RpcError} `protocol`: no header first
 */
export async function receiveWeights(
  steps: AsyncIterable<WeightsStep>,
  maxBytes: number,
): Promise<IncomingWeights> {
  const iterator = steps[Symbol.asyncIterator]();
  const first = await iterator.next();
  const header = first.done ? undefined : first.value.header;
  if (!header) throw breach("weights that do not start with their header");
  const id = checkedHash(header.id);
  const size = checkedSize(header.size);
  checkWeightsSize(size, maxBytes);
  return { id, size, bytes: exactly(size, chunksOf(iterator)) };
}

/** @throws {FlotillaError} more bytes than allowed */
function checkWeightsSize(size: number, maxBytes: number): void {
  if (size > maxBytes) {
    throw new FlotillaError(`Cannot accept weights of ${size} bytes: at most ${maxBytes}`);
  }
}

/**
 * Passes chunks on.
 *
 * @throws {RpcError} `protocol`: as soon as they exceed `size`, or if they end short of it
 */
export async function* exactly(
  size: number,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.length;
    if (seen > size) throw breach(`more than the ${size} bytes announced`);
    yield chunk;
  }
  if (seen < size) throw breach(`${seen} bytes, announced as ${size}`);
}

async function* chunksOf(steps: AsyncIterator<WeightsStep>): AsyncGenerator<Uint8Array> {
  for (let next = await steps.next(); !next.done; next = await steps.next()) {
    if (!next.value.chunk) throw breach("anything but chunks after the header of weights");
    yield next.value.chunk;
  }
}

function checkName(what: string, name: string): void {
  if (/^[\w.-]{1,100}$/.test(name) && !/^\.+$/.test(name)) return;
  throw new ModelError(
    `Cannot use "${name.slice(0, 100)}" as a ${what}: letters, digits, "_", "-" and "." only`,
  );
}

function checkPackageSize(modelId: string, size: number): void {
  if (size > MAX_PACKAGE_BYTES) {
    throw new ModelError(
      `Cannot accept ${size} bytes of model "${modelId}": at most ${MAX_PACKAGE_BYTES}`,
    );
  }
}
