/**
 * The leader's REST interface as one hono app: the original's `POST /execute_command`, `/api/v1`,
 * health and metrics. It holds no state of its own: all of that is the session service's.
 */
import { Hono } from "hono";
import { methodNotAllowed } from "hono/method-not-allowed";
import { systemClock } from "../core/clock.ts";
import { silentLogger } from "../log/log.ts";
import { routeClients } from "./rest/clients.ts";
import type { Rest, RestEnv, RestOptions } from "./rest/context.ts";
import { answerError, RestError } from "./rest/errors.ts";
import { routeContinuations } from "./rest/continuations.ts";
import { routeEvents } from "./rest/event_stream.ts";
import { routeExecuteCommand } from "./rest/execute_command.ts";
import { refuseForeignSites } from "./rest/foreign_sites.ts";
import { routeHealth } from "./rest/health.ts";
import { routeResults } from "./rest/results.ts";
import { routeSessions } from "./rest/sessions.ts";
import { routeStorage } from "./rest/storage.ts";
import { Submissions } from "./rest/submissions.ts";
import type { SessionService } from "./session_service.ts";

export type { RestEnv, RestOptions } from "./rest/context.ts";
export { type RestServer, type ServeOptions, serveRest } from "./rest/serve.ts";

/** Builds the app; it answers through `app.request()` as through a socket. */
export function createRest(service: SessionService, options: RestOptions): Hono<RestEnv> {
  const rest: Rest = {
    service,
    submissions: new Submissions(service),
    log: silentLogger,
    notReady: () => null,
    heartbeatMs: 15_000,
    maxBodyBytes: 16 * 1024 * 1024,
    clock: systemClock,
    ...options,
  };
  const app = new Hono<RestEnv>();
  app.onError((error, c) => answerError(c, rest, error));
  app.notFound((c) => {
    const text = `Cannot find "${c.req.path}": /openapi.json lists what there is`;
    return answerError(c, rest, new RestError(404, "unknown_route", text));
  });
  app.use(methodNotAllowed({
    app,
    onMethodNotAllowed(c, allowed) {
      const text = `Cannot ${c.req.method} "${c.req.path}": allowed is ${allowed.join(", ")}`;
      c.header("Allow", allowed.join(", "));
      return answerError(c, rest, new RestError(405, "method_not_allowed", text));
    },
  }));
  app.use(refuseForeignSites);
  routeExecuteCommand(app, rest);
  routeSessions(app, rest);
  routeContinuations(app, rest);
  routeEvents(app, rest);
  routeResults(app, rest);
  routeStorage(app, rest);
  routeClients(app, rest);
  routeHealth(app, rest);
  app.get("/openapi.json", async (c) => {
    // Loaded when asked for: the leader's start need not wait for a schema converter.
    const { openApiDocument } = await import("./rest/openapi.ts");
    return c.json(openApiDocument());
  });
  return app;
}
