/** The address under which others reach this machine, found without asking the network. */

/** What is needed of `Deno.networkInterfaces()`. */
export type NetworkAddress = Pick<
  Deno.NetworkInterfaceInfo,
  "name" | "family" | "address"
>;

/** Bridges and tunnels of container engines: addresses that other machines cannot reach. */
const INNER_NAME = /^(docker|br-|veth|virbr|cni|flannel|cali|podman|lxc)/;

/**
 * The host to advertise for a socket bound to `bound`: that address itself; for "all interfaces"
 * the first IPv4 address that is not internal, or loopback on a machine without a network.
 *
 * @returns fit for `host:port`: IPv6 in brackets
 */
export function advertisedHost(
  bound: string,
  interfaces: readonly NetworkAddress[] = Deno.networkInterfaces(),
): string {
  if (bound === "localhost") return "127.0.0.1";
  if (bound !== "0.0.0.0" && bound !== "::") return bracketed(bound);
  const outer = interfaces.filter(({ family, address }) => family === "IPv4" && isOuter(address));
  const best = outer.find(({ name }) => !INNER_NAME.test(name)) ?? outer[0];
  return best?.address ?? "127.0.0.1";
}

/** Whether a host names this machine alone. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function isOuter(address: string): boolean {
  const unconfigured = address.startsWith("169.254.");
  return !isLoopback(address) && !unconfigured && address !== "0.0.0.0";
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
