import { serveEdge } from "../../src/rpc/grpc_server.ts";
import { createGrpcTransport } from "../../src/rpc/grpc_transport.ts";
import { silentLogger } from "../../src/log/log.ts";
import { testTransport } from "../contract/transport_suite.ts";

testTransport("gRPC transport", async (clients) => {
  const servers = await Promise.all(clients.map((handlers) =>
    serveEdge({
      host: "127.0.0.1",
      syncPort: 0,
      asyncPort: 0,
      handlers,
      logger: silentLogger,
    })
  ));
  const transport = createGrpcTransport();
  return {
    links: servers.map((endpoints, index) => transport.connect(`client_${index}`, endpoints)),
    async close() {
      transport.close();
      await Promise.all(servers.map((server) => server.close()));
    },
  };
});
