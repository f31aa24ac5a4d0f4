/**
 * Frees what the preparation of a training leaves (parsed files, code under construction) before
 * the engine would, so that a client stays small.
 */

const engineCollect = (globalThis as { gc?: () => void }).gc;

/** Collects all garbage now, where the program was started so that it can. */
export function collectGarbage(): void {
  engineCollect?.();
}
