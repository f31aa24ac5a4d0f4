/** Streams of a server that has gone without a word, which TCP alone would wait for. */

/**
 * What a body brings, as long as it is not silent for too long.
 *
 * @param error made when nothing has come for so many milliseconds; it ends the stream
 */
export async function* unlessSilent(
  body: ReadableStream<Uint8Array>,
  longestMs: number,
  error: () => Error,
): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  try {
    for (;;) {
      const { promise: silence, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(error()), longestMs);
      const next = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
