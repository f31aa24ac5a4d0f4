/** Files of NumPy for tests. */

/** An npy file written from the format's description. */
export function npy(type: string, shape: string, data: ArrayBufferView, fortran = "False") {
  const text = `{'descr': '${type}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;
  const header = text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n";
  const start = Uint8Array.of(
    0x93,
    78,
    85,
    77,
    80,
    89,
    1,
    0,
    header.length & 255,
    header.length >> 8,
  );
  const body = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Uint8Array.from([...start, ...new TextEncoder().encode(header), ...body]);
}
