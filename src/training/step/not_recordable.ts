/** Why a training step cannot be compiled: a reason for the user, not a fault. */

/** Thrown while a step is recorded or compiled; the step must then run eagerly. */
export class NotRecordable extends Error {
  override readonly name = "NotRecordable";

  /** @param reason completes the sentence "the step cannot be compiled as ..." */
  constructor(readonly reason: string) {
    super(`Cannot compile the training step as ${reason}`);
  }
}
