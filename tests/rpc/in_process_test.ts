import { createInProcessTransport } from "../../src/rpc/in_process.ts";
import { testTransport } from "../contract/transport_suite.ts";

testTransport("in-process transport", (clients) => {
  const transport = createInProcessTransport({ find: (client) => clients[Number(client)] });
  const endpoints = { sync: "here:1", async: "here:2" };
  return Promise.resolve({
    links: clients.map((_, index) => transport.connect(String(index), endpoints)),
    close() {
      transport.close();
      return Promise.resolve();
    },
  });
});
