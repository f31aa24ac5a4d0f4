/** Reading request bodies: JSON only, bounded while it arrives, checked by a schema. */
import * as v from "valibot";
import { messageOf } from "../../core/errors.ts";
import type { Rest, RestContext } from "./context.ts";
import { RestError } from "./errors.ts";

/**
 * The body as parsed JSON.
 *
 * @throws {RestError} another content type, more bytes than allowed, or not JSON
 */
export async function readJson(c: RestContext, { maxBodyBytes }: Rest): Promise<unknown> {
  const type = c.req.header("content-type") ?? "";
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new RestError(
      415,
      "unsupported_media_type",
      `Cannot read a body of content type "${type}": send application/json`,
    );
  }
  const text = await readText(c, maxBodyBytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RestError(
      400,
      "malformed_json",
      `Cannot read the body as JSON: ${firstLine(messageOf(error))}`,
    );
  }
}

/**
 * Checks a body.
 *
 * @throws {RestError} naming every key that is wrong
 */
export function checkBody<const S extends v.GenericSchema>(
  schema: S,
  body: unknown,
): v.InferOutput<S> {
  const result = v.safeParse(schema, body);
  if (result.success) return result.output;
  const problems = result.issues.map((issue) => {
    const key = v.getDotPath(issue);
    return key === null ? issue.message : `${key}: ${issue.message}`;
  });
  const message = `Cannot accept the body: ${problems.join("; ")}`;
  throw new RestError(400, "invalid_request", message, problems);
}

/** Reads no further than the bound, whatever the headers claim. */
async function readText(c: RestContext, maxBytes: number): Promise<string> {
  const declared = Number(c.req.header("content-length") ?? 0);
  const decoder = new TextDecoder();
  let [text, bytes] = ["", 0];
  // hono's own limit makes a second request of the first, on which the runtime prints a warning.
  for await (const chunk of c.req.raw.body ?? []) {
    bytes += chunk.length;
    if (bytes > maxBytes || declared > maxBytes) {
      throw new RestError(
        413,
        "body_too_large",
        `Cannot accept a body of more than ${maxBytes} bytes: ` +
          "send a smaller config or model package",
      );
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!.slice(0, 200);
}
