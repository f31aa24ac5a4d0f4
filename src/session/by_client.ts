/**
 * Records by client, changed in copies. Plain loops: with a thousand clients a rest pattern, or a
 * computed key beside a spread, takes twenty times as long, and every answer makes such a copy.
 */
import type { ClientId } from "../core/ids.ts";

type ByClient<T> = Readonly<Record<ClientId, T>>;

/** The record with one client's value set. */
export function withClient<T>(record: ByClient<T>, client: ClientId, value: T): ByClient<T> {
  const copy: Record<ClientId, T> = {};
  for (const id in record) copy[id] = record[id]!;
  copy[client] = value;
  return copy;
}

/** The record without one client. */
export function withoutClient<T>(record: ByClient<T>, client: ClientId): ByClient<T> {
  const copy: Record<ClientId, T> = {};
  for (const id in record) if (id !== client) copy[id] = record[id]!;
  return copy;
}
