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
  async submit(submission: Submission): Promise<SessionId> {
    this.#underWay++;
    try {
      return await this.#service.submit(submission);
    } finally {
      this.#underWay--;
    }
  }
}
