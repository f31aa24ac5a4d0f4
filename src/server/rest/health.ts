/** Whether the leader lives, whether it can run sessions, and its numbers for Prometheus. */
import type { Hono } from "hono";
import * as v from "valibot";
import type { Rest, RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";
import { type Metric, prometheusText } from "./prometheus.ts";

export const Health = v.object({ status: v.literal("ok") });

/** Adds `/healthz`, `/readyz` and `/metrics` to the app. */
export function routeHealth(app: Hono<RestEnv>, rest: Rest): void {
  const startedAt = rest.clock.monotonicMs();
  app.get("/healthz", (c) => c.json({ status: "ok" }));
  app.get("/readyz", (c) => {
    const reason = rest.notReady();
    if (reason !== null) {
      throw new RestError(503, "not_ready", `Cannot run sessions yet: ${reason}`);
    }
    return c.json({ status: "ok" });
  });
  app.get("/metrics", async (c) => {
    const uptimeSeconds = (rest.clock.monotonicMs() - startedAt) / 1000;
    return c.body(prometheusText(await metrics(rest, uptimeSeconds)), 200, {
      "content-type": "text/plain; version=0.0.4; charset=utf-8",
    });
  });
}

async function metrics({ service }: Rest, uptimeSeconds: number): Promise<Metric[]> {
  const sessions = await service.list();
  const rounds = sessions.reduce((sum, { rounds }) => sum + rounds.length, 0);
  const statuses = ["queued", "running", "finished", "failed", "stopped"] as const;
  const states = ["active", "training", "lost", "inactive"] as const;
  const clients = service.clients();
  return [
    {
      name: "flotilla_sessions",
      type: "gauge",
      help: "Sessions in the store by status",
      samples: statuses.map((status) => ({
        labels: { status },
        value: sessions.filter((session) => session.status === status).length,
      })),
    },
    {
      name: "flotilla_clients",
      type: "gauge",
      help: "Clients in the directory by state",
      samples: states.map((state) => ({
        labels: { state },
        value: clients.filter((client) => client.state === state).length,
      })),
    },
    single("flotilla_rounds_started", "Rounds started in all sessions of the store", rounds),
    single("flotilla_uptime_seconds", "Seconds since the server started", uptimeSeconds),
    single(
      "process_resident_memory_bytes",
      "Resident memory of the server",
      Deno.memoryUsage().rss,
    ),
  ];
}

function single(name: string, help: string, value: number): Metric {
  return { name, type: "gauge", help, samples: [{ labels: {}, value }] };
}
