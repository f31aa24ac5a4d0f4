/** A client in a process of its own, for a test to kill: `client_process.ts PORT CLIENT_ID`. */
import { connectClient } from "../../src/discovery/mqtt_client.ts";
import { silentLogger } from "../../src/log/log.ts";
import { clientAdvert } from "../fixtures/adverts.ts";

const [port, clientId] = Deno.args;
const discovery = await connectClient({
  host: "127.0.0.1",
  port: Number(port),
  clientId: clientId!,
  logger: silentLogger,
});
discovery.onLeader((advert) => discovery.announce(clientAdvert(), advert.mqtt_client_topic));
