/**
 * An archive: a tar file whose first member says what it is and of which version, whose second lists
 * all others with their hashes. So a cut, changed or foreign file is found before anything is used.
 */
import { createHash } from "node:crypto";
import { ArchiveError, messageOf } from "../core/errors.ts";
import type { JsonObject } from "../core/json.ts";
import { sha256 } from "../core/model_package.ts";
import { onFile } from "../state/file_access.ts";
import { readFrom } from "../state/read_from.ts";
import { tarBytes, type TarEntry, type TarPlace, tarPlaces } from "./tar.ts";

/** What an archive holds: one session after a round, or everything that a leader keeps. */
export type ArchiveKind = "checkpoint" | "state";

/** Raised when members change, so that an older program refuses a newer file. */
export const ARCHIVE_VERSION = 1;

const LABEL = "flotilla.txt";
const MANIFEST = "manifest.json";
const PIECE_BYTES = 1024 * 1024;

/** A file in an archive. */
export interface Member {
  readonly name: string;
  readonly bytes: number;
  /** In lower-case hex. */
  readonly sha256: string;
}

/** A member to be written, its content read only when its turn comes. */
export interface NewMember extends Member {
  content(): TarEntry["content"];
}

/** The list of an archive's members, with what a reader wants to know first. */
interface Manifest {
  readonly about: JsonObject;
  readonly members: readonly Member[];
}

/** A member whose bytes are here. */
export function bytesMember(name: string, bytes: Uint8Array): NewMember {
  return { name, bytes: bytes.length, sha256: sha256(bytes), content: () => [bytes] };
}

/** A member that is here as text. */
export function textMember(name: string, text: string): NewMember {
  return bytesMember(name, new TextEncoder().encode(text));
}

/** The bytes of an archive. */
export async function* archiveBytes(
  kind: ArchiveKind,
  about: JsonObject,
  members: readonly NewMember[],
): AsyncGenerator<Uint8Array> {
  const list = members.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 }));
  const manifest = textMember(MANIFEST, `${JSON.stringify({ about, members: list }, null, 1)}\n`);
  const label = textMember(LABEL, `flotilla ${kind} ${ARCHIVE_VERSION}\n${manifest.sha256}\n`);
  const entries = function* () {
    for (const { name, bytes, content } of [label, manifest, ...members]) {
      yield { name, bytes, content: content() };
    }
  };
  yield* tarBytes(entries());
}

/** An archive in a file, open for reading. */
export class Archive implements Disposable {
  private constructor(
    readonly path: string,
    readonly bytes: number,
    /** What its writer says of it. */
    readonly about: JsonObject,
    readonly members: readonly Member[],
    readonly file: Deno.FsFile,
    readonly places: ReadonlyMap<string, TarPlace>,
  ) {}

  /**
   * Opens an archive and checks that it is whole; the members are checked when they are read.
   *
   * @throws {FileAccessError} the file cannot be read
   * @throws {ArchiveError} it is foreign, of another kind, of a newer version, cut off or changed
   */
  static async open(path: string, kind: ArchiveKind): Promise<Archive> {
    const file = await onFile("read", path, () => Deno.open(path));
    try {
      const { size } = await file.stat();
      const read = (start: number, length: number) => readAt(file, start, Math.min(length, size));
      const index = await tarPlaces(read);
      const label = index?.places.get(LABEL);
      if (index === null || label === undefined || label.bytes > PIECE_BYTES) {
        throw new ArchiveError(`Cannot read "${path}" as it is not a Flotilla ${kind}`);
      }
      const { places, whole } = index;
      const manifestSha = checkLabel(path, kind, await read(label.start, label.bytes));
      const place = places.get(MANIFEST);
      const text = place === undefined ? null : await read(place.start, place.bytes);
      if (text === null || text.length < place!.bytes) throw cutOff(path, size);
      if (sha256(text) !== manifestSha) throw changed(path, MANIFEST);
      const { about, members } = JSON.parse(new TextDecoder().decode(text)) as Manifest;
      if (!whole || members.some(({ name }) => !places.has(name))) throw cutOff(path, size);
      for (const { name, bytes } of members) {
        if (places.get(name)!.bytes !== bytes) throw changed(path, name);
      }
      return new Archive(path, size, about, members, file, places);
    } catch (error) {
      file.close();
      if (error instanceof ArchiveError) throw error;
      throw new ArchiveError(`Cannot read "${path}": ${messageOf(error)}`, { cause: error });
    }
  }

  /** Reads everything once. @throws {ArchiveError} a member has been changed */
  async verify(): Promise<void> {
    for (const { name } of this.members) {
      for await (const _piece of this.content(name));
    }
  }

  has(name: string): boolean {
    return this.members.some((member) => member.name === name);
  }

  /** A member's bytes. @throws {ArchiveError} behind the last piece: it has been changed */
  async *content(name: string): AsyncGenerator<Uint8Array> {
    const member = this.members.find((one) => one.name === name);
    if (member === undefined) {
      throw new ArchiveError(`Cannot read "${this.path}" as it has no ${name}`);
    }
    const { start } = this.places.get(name)!;
    const hash = createHash("sha256");
    for (let at = 0; at < member.bytes; at += PIECE_BYTES) {
      const piece = await readAt(this.file, start + at, Math.min(PIECE_BYTES, member.bytes - at));
      hash.update(piece);
      yield piece;
    }
    if (hash.digest("hex") !== member.sha256) throw changed(this.path, name);
  }

  /** A member as text. @throws {ArchiveError} it has been changed */
  async text(name: string): Promise<string> {
    const pieces: Uint8Array<ArrayBuffer>[] = [];
    for await (const piece of this.content(name)) pieces.push(new Uint8Array(piece));
    return await new Blob(pieces).text();
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** The manifest's hash. @throws {ArchiveError} another kind, or a newer version */
function checkLabel(path: string, kind: ArchiveKind, bytes: Uint8Array): string {
  const [first = "", sha = ""] = new TextDecoder().decode(bytes).split("\n");
  const [, found, version] = /^flotilla (\w+) (\d+)$/.exec(first) ?? [];
  if (found === undefined) {
    throw new ArchiveError(`Cannot read "${path}" as it is not a Flotilla ${kind}`);
  }
  if (Number(version) !== ARCHIVE_VERSION) {
    throw new ArchiveError(
      `Cannot read "${path}" as a newer Flotilla has written it (format ${version}, this one ` +
        `reads ${ARCHIVE_VERSION}): use that version`,
    );
  }
  if (found !== kind) {
    throw new ArchiveError(`Cannot read "${path}" as it is a Flotilla ${found}, not a ${kind}`);
  }
  return sha;
}

function cutOff(path: string, bytes: number): ArchiveError {
  return new ArchiveError(
    `Cannot read "${path}" as it is cut off after ${bytes} bytes: copy it again`,
  );
}

function changed(path: string, name: string): ArchiveError {
  return new ArchiveError(
    `Cannot use "${path}" as ${name} in it has been changed since it was written (its hash is ` +
      "another): take an intact copy",
  );
}

async function readAt(file: Deno.FsFile, start: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, await readFrom(file, start, bytes));
}
