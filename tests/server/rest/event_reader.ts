/** Reads a stream of server-sent events block by block. */
import assert from "node:assert/strict";

/** The fields of one event; a block of comments has none. */
export interface ServerSentEvent {
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
  readonly comment?: string;
}

/** Yields each block of the answer as it arrives. */
export async function* events(response: Response): AsyncGenerator<ServerSentEvent> {
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type") ?? "", /^text\/event-stream/);
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split("\n\n");
    text = blocks.pop()!;
    for (const block of blocks) {
      yield Object.fromEntries(
        block.split("\n").map((line) => {
          const [, field, value] = /^(\w*): ?(.*)$/.exec(line)!;
          return [field === "" ? "comment" : field, value];
        }),
      );
    }
  }
  assert.equal(text, "");
}

/** All events until the stream ends, comments left out. */
export async function allEvents(response: Response): Promise<ServerSentEvent[]> {
  const all = await Array.fromAsync(events(response));
  return all.filter(({ data }) => data !== undefined);
}
