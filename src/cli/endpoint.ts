/** The address of a server as a user writes it. */
import { UsageError } from "../core/errors.ts";

/**
 * The base URL of an endpoint such as `localhost:12345` or `https://lab.example:443`.
 *
 * @throws {UsageError} it is not HOST:PORT
 */
export function baseUrl(endpoint: string): string {
  const [, scheme = "http", host, port] =
    /^(?:(https?):\/\/)?([\w.-]+|\[[\da-fA-F:.]+\]):(\d{1,5})\/?$/.exec(endpoint) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65535) {
    throw new UsageError(
      `Cannot use "${endpoint}" as --federated-server-endpoint: HOST:PORT is needed, such as localhost:12345`,
    );
  }
  return `${scheme}://${host}:${port}`;
}
