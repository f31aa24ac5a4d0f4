/**
 * Frees what the preparation of a training leaves (parsed files, code under construction) before
 * the engine would, so that a client stays small. That takes time, so it is done after the first step.
 */

const engineCollect = (globalThis as { gc?: () => void }).gc;

let isLeft = false;

/** Says that much was left that nothing needs any more. */
export function leaveGarbage(): void {
  isLeft = true;
}

/** Collects what was left, where the program was started so that it can. */
export function collectGarbage(): void {
  if (!isLeft) return;
  isLeft = false;
  engineCollect?.();
}
