/** Errors as they pass from worker to worker: plain data, of the same class again on the other side. */
import { DataError, FlotillaError, messageOf, ModelError, WeightsError } from "../core/errors.ts";
import { NotRecordable } from "./step/not_recordable.ts";

/** An error without its stack. */
export interface PassedError {
  /** Its class. */
  readonly name: string;
  readonly reason: string;
}

/** What is passed of an error. */
export function passed(error: unknown): PassedError {
  if (error instanceof NotRecordable) return { name: error.name, reason: error.reason };
  return { name: error instanceof Error ? error.name : "Error", reason: messageOf(error) };
}

/** An error of the class that was passed. */
export function errorOf({ name, reason }: PassedError): Error {
  switch (name) {
    case "DataError":
      return new DataError(reason);
    case "ModelError":
      return new ModelError(reason);
    case "FlotillaError":
      return new FlotillaError(reason);
    case "WeightsError":
      return new WeightsError(reason);
    case "NotRecordable":
      return new NotRecordable(reason);
    default:
      return new FlotillaError(`Training failed: ${reason}`);
  }
}
