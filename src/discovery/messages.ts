/**
 * Payloads on the broker: how each is encoded, and how bytes from anyone are checked. Decoding never
 * throws; a reason for refusal names the field and never repeats the payload.
 */
import * as v from "valibot";
import type { ClientId } from "../core/ids.ts";
import type { JsonObject } from "../core/json.ts";
import type { ClientMessage, LeaderAdvert } from "./discovery.ts";

/** Most bytes of a payload that is looked at. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** Deepest nesting of a payload: deeper ones would overflow the stack of whoever walks them. */
const MAX_DEPTH = 32;
/** Longest interval between two heartbeats, in seconds: a day. */
const MAX_HEARTBEAT_INTERVAL = 86_400;

/** A checked value, or why there is none. */
export type Decoded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string };

const shortText = v.pipe(v.string(), v.maxLength(200));
const name = v.pipe(v.string(), v.regex(/^[\w.@-][\w.@ -]{0,99}$/));
const clientId = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][\w.-]{0,99}$/));
const finite = v.pipe(v.number(), v.finite());
// What was read from JSON without a schema of its own is JSON.
const jsonObject = v.custom<JsonObject>((value) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
);
/** A topic that can be published to: no wildcards. */
const topic = v.pipe(v.string(), v.regex(/^[^+#\0]{1,200}$/));
const endpoint = v.pipe(
  v.string(),
  v.regex(/^(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[\w.-]{0,251}[A-Za-z0-9])?):\d{1,5}$/),
  v.check((text) => {
    const port = Number(text.slice(text.lastIndexOf(":") + 1));
    return port >= 1 && port <= 65_535;
  }),
);

const hardware = v.object({
  arch: shortText,
  // The original sends text; a number is as good.
  cpu_core_count: v.pipe(v.union([shortText, finite]), v.transform(String)),
  model_name: v.nullable(shortText),
  cuda_available: v.boolean(),
});

const leaderAdvert = v.object({
  type: shortText,
  timestamp: finite,
  grpc_ep: v.null(),
  mqtt_client_topic: topic,
  cluster_id: v.null(),
  heartbeat_interval: v.pipe(finite, v.minValue(0.01), v.maxValue(MAX_HEARTBEAT_INTERVAL)),
  hw_info: hardware,
});

const dataset = v.object({
  dataset_details: jsonObject,
  metadata: v.object({
    label_distribution: v.exactOptional(v.record(v.string(), finite)),
    num_items: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
});

const clientAdvert = v.object({
  type: shortText,
  timestamp: finite,
  grpc_ep: endpoint,
  grpc_async_ep: v.exactOptional(endpoint),
  cluster_id: finite,
  hw_info: hardware,
  datasets: v.record(v.string(), dataset),
  models: v.record(v.string(), shortText),
  benchmark_info: jsonObject,
  name,
});

const heartbeat = v.object({ id: clientId, timestamp: finite });
const lost = v.object({ id: clientId });

/** A leader's advert as bytes of JSON. */
export function encodeLeaderAdvert(advert: LeaderAdvert): string {
  return JSON.stringify(advert);
}

/** A client's message as bytes of JSON; adverts have the client's id as their only key. */
export function encodeClientMessage(message: ClientMessage): string {
  switch (message.kind) {
    case "advert":
      return JSON.stringify({ [message.client]: { payload: message.advert } });
    case "heartbeat":
      return JSON.stringify({ id: message.client, timestamp: message.timestamp });
    case "lost":
      return JSON.stringify({ id: message.client });
  }
}

/** Reads what a leader published on its topic. */
export function decodeLeaderAdvert(payload: Uint8Array): Decoded<LeaderAdvert> {
  return check(leaderAdvert, parseJson(payload));
}

/** Reads what a client, or the broker for it, published on the topic of this kind. */
export function decodeClientMessage(
  kind: ClientMessage["kind"],
  payload: Uint8Array,
): Decoded<ClientMessage> {
  const json = parseJson(payload);
  switch (kind) {
    case "advert":
      return decodeClientAdvert(json);
    case "heartbeat":
      return map(check(heartbeat, json), ({ id, timestamp }) => ({ kind, client: id, timestamp }));
    case "lost":
      return map(check(lost, json), ({ id }) => ({ kind, client: id }));
  }
}

function decodeClientAdvert(json: Decoded<unknown>): Decoded<ClientMessage> {
  if (!json.ok) return json;
  const entries = v.is(jsonObject, json.value) ? Object.entries(json.value) : [];
  const [client, envelope] = entries[0] ?? [];
  if (entries.length !== 1 || !v.is(clientId, client)) {
    return refuse("the only key must be a client id");
  }
  const decoded = check(v.object({ payload: clientAdvert }), { ok: true, value: envelope });
  return map(decoded, ({ payload }) => ({
    kind: "advert",
    client: client satisfies ClientId,
    advert: payload,
  }));
}

function parseJson(payload: Uint8Array): Decoded<unknown> {
  if (payload.length > MAX_PAYLOAD_BYTES) {
    return refuse(`more than ${MAX_PAYLOAD_BYTES} bytes`);
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    if (!isShallow(value, MAX_DEPTH)) return refuse(`nested deeper than ${MAX_DEPTH}`);
    return { ok: true, value };
  } catch {
    return refuse("not JSON");
  }
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1));
}

function check<T>(schema: v.GenericSchema<unknown, T>, json: Decoded<unknown>): Decoded<T> {
  if (!json.ok) return json;
  const result = v.safeParse(schema, json.value, { abortEarly: true });
  if (result.success) return { ok: true, value: result.output };
  const path = v.getDotPath(result.issues[0]) ?? "the payload";
  return refuse(`${path} is missing or not as expected`);
}

function map<A, B>(decoded: Decoded<A>, change: (value: A) => B): Decoded<B> {
  return decoded.ok ? { ok: true, value: change(decoded.value) } : decoded;
}

function refuse(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
