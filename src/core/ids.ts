/** The names of things. All are plain strings, so that they survive JSON; the alias says which. */

/** A client's UUID, made once and kept in its `client_info.yaml`. */
export type ClientId = string;
/** A client's name on the broker, such as `workstation_1`; seeds derive from it, not from the id. */
export type ClientName = string;
/** A run's UUID. */
export type SessionId = string;
/** SHA-256 (64 lower-case hex digits) of encoded weights. */
export type WeightsId = string;
/** SHA-256 (64 lower-case hex digits) over a model package's paths and bytes. */
export type PackageHash = string;

/** A client as events and results name it. */
export interface ClientRef {
  readonly id: ClientId;
  readonly name: ClientName;
}

/** Characters of an id that may stand for all of it. */
const SHORTEST_START = 4;

/** Whether what a user has written can mean this id: all of it, or its first characters. */
export function canMean(written: string, id: string): boolean {
  return id === written || (written.length >= SHORTEST_START && id.startsWith(written));
}

/**
 * Orders clients by name, numbers in it by value (`workstation_2` before `workstation_10`), ties by
 * id. Every fold over clients uses this order, so that a result never depends on who answered first.
 */
export function byName(a: ClientRef, b: ClientRef): number {
  return compareNatural(a.name, b.name) || compareCodes(a.id, b.id);
}

function compareNatural(a: string, b: string): number {
  const [left, right] = [a.split(/(\d+)/), b.split(/(\d+)/)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i]!, right[i]!];
    // Odd parts are the digits that the split kept.
    const order = i % 2 === 1 ? Number(x) - Number(y) || compareCodes(x, y) : compareCodes(x, y);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareCodes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
