/** Reads the items of an `.npz` by index, for arrays that are larger than the memory allowed. */
import { DataError } from "../core/errors.ts";
import { elements, type NumberType, type StoredData } from "./dataset.ts";
import { type DataFile, findFile, overBudget, plainSize } from "./folder.ts";
import { type NpyHeader, type NpyType, parseNpy, parseNpyHeader } from "./npy.ts";
import { itemShape, labelsOf } from "./npz.ts";
import { openItems } from "./stored_items.ts";
import { readBytesAt, readMember, type ZipMember, zipMembers } from "./zip_directory.ts";

/** NumPy's headers are a line of text; one of these many bytes describes no array of numbers. */
const HEADER_BYTES = 4096;

/** Types that lie in memory as they are stored. */
const IN_MEMORY: Readonly<Partial<Record<NpyType, NumberType>>> = {
  u1: "u8",
  i4: "i32",
  f4: "f32",
};

/**
 * As `readNpz`, with items that stay on disk; null if they take at most so many bytes.
 *
 * @throws {DataError} as `readNpz`; the items are more, and packed or of 64-bit numbers
 */
export async function openNpz(
  folder: string,
  name: string,
  budgetBytes: number,
): Promise<StoredData | null> {
  const file = await findFile(folder, name);
  // An archive within gzip has no directory that could be read alone.
  if (await plainSize(file) === null) return null;
  const members = zipMembers(file);
  const x = members.find((member) => member.name === "x.npy");
  const y = members.find((member) => member.name === "y.npy");
  if (x === undefined || y === undefined) return null;
  const refuse = (bytes: number, remedy: string) =>
    overBudget(`${file.label} x`, bytes, budgetBytes, `save it ${remedy}`);
  if (!x.isStored) {
    // Of 64-bit numbers half stays; what is less than this is told exactly once it is read.
    const leastBytes = (x.size - HEADER_BYTES) / 2;
    if (leastBytes <= budgetBytes) return null;
    throw refuse(leastBytes, "by numpy.savez, which does not pack");
  }
  const header = headerOf(file, x);
  const bytes = elements(header.shape) * Math.min(4, Number(header.type[1]));
  if (bytes <= budgetBytes) return null;
  const type = IN_MEMORY[header.type];
  if (type === undefined) throw refuse(bytes, "as float32 or int32");
  const shape = itemShape(header.shape, type === "u8", file.label);
  const labels = labelsOf(parseNpy(readMember(file, y), `${file.label} y`), `${file.label} y`);
  const items = openItems(file, {
    type,
    bigEndian: false,
    count: header.shape[0]!,
    size: elements(shape),
    start: x.start + header.start,
  });
  return { items, shape, labels };
}

function headerOf(file: DataFile, member: ZipMember): NpyHeader {
  const label = `${file.label} x`;
  const header = parseNpyHeader(readBytesAt(file, member.start, HEADER_BYTES), label);
  const bytes = header.start + elements(header.shape) * Number(header.type[1]);
  if (bytes === member.size) return header;
  throw new DataError(
    `Cannot read ${label} as it holds ${member.size} bytes: its header states ${bytes}`,
  );
}
