/** `GET /api/v1/clients`: all clients that the leader's directory knows. */
import type { Hono } from "hono";
import * as v from "valibot";
import type { ClientView } from "../session_service.ts";
import type { Rest, RestEnv } from "./context.ts";
import { timestamp } from "./session_view.ts";

/** A client as REST shows it. */
export const ClientBody = v.object({
  client_id: v.string(),
  name: v.string(),
  endpoint: v.pipe(v.string(), v.description("host:port of its synchronous port")),
  state: v.picklist(["active", "training", "lost", "inactive"]),
  last_heartbeat: timestamp,
  datasets: v.pipe(v.record(v.string(), v.number()), v.description("Number of items by dataset")),
  hardware: v.object({
    arch: v.string(),
    cpu_core_count: v.string(),
    model_name: v.nullable(v.string()),
    cuda_available: v.boolean(),
  }),
  models: v.pipe(v.record(v.string(), v.string()), v.description("Package hash by model id")),
});

export const ClientList = v.object({ clients: v.array(ClientBody) });

/** Adds the route to the app. */
export function routeClients(app: Hono<RestEnv>, { service }: Rest): void {
  app.get("/api/v1/clients", (c) => c.json({ clients: service.clients().map(clientBody) }));
}

function clientBody(client: ClientView): v.InferOutput<typeof ClientBody> {
  return {
    client_id: client.id,
    name: client.name,
    endpoint: client.endpoint,
    state: client.state,
    last_heartbeat: new Date(client.lastHeartbeat).toISOString(),
    datasets: { ...client.datasets },
    hardware: { ...client.hardware },
    models: { ...client.models },
  };
}
