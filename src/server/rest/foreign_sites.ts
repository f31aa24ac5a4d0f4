/**
 * Keeps web pages out: a page in the user's browser can reach a loopback port, by a name that it
 * has bound to 127.0.0.1 or by a cross-site request. Neither is how a user of this leader calls it.
 */
import type { Context, Next } from "hono";
import type { RestEnv } from "./context.ts";
import { RestError } from "./errors.ts";

/** Whether a host name (no port, brackets allowed) always means this machine. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" ||
    /^127(?:\.\d{1,3}){3}$/.test(name);
}

/** Middleware that answers 403 to a foreign `Host` on loopback, and to changes from other sites. */
export async function refuseForeignSites(c: Context<RestEnv>, next: Next): Promise<void> {
  const host = c.req.header("host") ?? new URL(c.req.url).host;
  if (c.env?.loopback && !isLoopback(host.replace(/:\d*$/, ""))) {
    throw new RestError(
      403,
      "foreign_host",
      `Cannot answer for the host "${host}" as this server is bound to this machine only: ` +
        "use localhost, or bind it to the network with --host",
    );
  }
  const origin = c.req.header("origin");
  const changes = c.req.method !== "GET" && c.req.method !== "HEAD";
  if (changes && origin !== undefined && origin.replace(/^https?:\/\//, "") !== host) {
    throw new RestError(
      403,
      "foreign_origin",
      `Cannot accept ${c.req.method} from a page of "${origin}": only pages of "${host}" may`,
    );
  }
  await next();
}
