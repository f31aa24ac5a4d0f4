/** Reads from any place of an open file. */

/** Fills `into` with the bytes from `start`. @returns how many there were: fewer at the file's end */
export async function readFrom(
  file: Deno.FsFile,
  start: number,
  into: Uint8Array,
): Promise<number> {
  // Moving the position asks no disk; as a call that is waited for it would cost as much as a read.
  file.seekSync(start, Deno.SeekMode.Start);
  let read = 0;
  while (read < into.length) {
    const more = await file.read(into.subarray(read));
    if (more === null) break;
    read += more;
  }
  return read;
}
