/** Submitting runs so that "busy" is already true while a submission is on its way. */
import type { SessionId } from "../../core/ids.ts";
import type { SessionService, Submission } from "../session_service.ts";
import { RestError } from "./errors.ts";

/** Submissions of all routes of one app. */
export class Submissions {
  readonly #service: SessionService;
  /** Those that the service has not queued yet: it builds the model first, which takes a while. */
  #underWay = 0;

  constructor(service: SessionService) {
    this.#service = service;
  }

  /** @throws {RestError} of this status, if a run is under way, queued or being submitted */
  refuseIfBusy(status: 400 | 409): void {
    if (this.#underWay > 0 || this.#service.isBusy()) {
      throw new RestError(status, "busy", "A session is already running");
    }
  }

  /** As {@link SessionService.submit}. */
  submit(submission: Submission): Promise<SessionId> {
    return this.started(this.#service.submit(submission));
  }

  /** The id of a run that is being queued. */
  async started(queued: Promise<SessionId>): Promise<SessionId> {
    this.#underWay++;
    try {
      return await queued;
    } finally {
      this.#underWay--;
    }
  }
}
