/** Reads from any place of an open file of a dataset. */

/** Fills `into` with the bytes from `start`. @returns how many there were: fewer at the file's end */
export function readAt(file: Deno.FsFile, start: number, into: Uint8Array): number {
  file.seekSync(start, Deno.SeekMode.Start);
  let have = 0;
  while (have < into.length) {
    const got = file.readSync(into.subarray(have));
    if (got === null) break;
    have += got;
  }
  return have;
}
