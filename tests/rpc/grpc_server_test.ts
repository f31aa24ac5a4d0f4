/** What a client's ports do with callers that are not this project's leader. */
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { MethodDefinition } from "@grpc/proto-loader";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { FileAccessError, PortTakenError } from "../../src/core/errors.ts";
import { MAX_PACKAGE_BYTES } from "../../src/core/model_package.ts";
import { silentLogger } from "../../src/log/log.ts";
import { type EdgeServer, serveEdge } from "../../src/rpc/grpc_server.ts";
import { edgeRpcs } from "../../src/rpc/services.ts";
import { bytesOf, type EdgeFake, edgeFake } from "../contract/edge_fake.ts";

const HASH = "cd".repeat(32);
const original = loadSync(
  new URL("fixtures/original.proto", import.meta.url).pathname,
  { keepCase: true },
).EdgeService as unknown as Record<string, MethodDefinition<object, object>>;

interface Served {
  readonly fake: EdgeFake;
  readonly sync: Client;
  readonly async: Client;
  readonly server: EdgeServer;
}

function test(name: string, body: (served: Served) => Promise<void>): void {
  Deno.test(name, async () => {
    const fake = edgeFake({ echo: (text) => text });
    const limits = { maxWeightsBytes: 1_000_000 };
    const server = await serveEdge({
      host: "127.0.0.1",
      syncPort: 0,
      asyncPort: 0,
      handlers: fake,
      limits,
      logger: silentLogger,
    });
    const options = { "grpc.use_local_subchannel_pool": 1 };
    const sync = new Client(server.sync, credentials.createInsecure(), options);
    const async = new Client(server.async, credentials.createInsecure(), options);
    try {
      await body({ fake, sync, async, server });
    } finally {
      // The server first, which ends connections without the polite frame that a stock client sends.
      await server.close();
      sync.close();
      async.close();
    }
  });
}

/** What a call answers: its message, or the status and details of its refusal. */
type Outcome = { message: unknown } | { code: string; details: string };

function call(
  client: Client,
  { path, requestSerialize, responseDeserialize, requestStream }: MethodDefinition<object, object>,
  messages: readonly object[],
): Promise<Outcome> {
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, message?: unknown) =>
      resolve(
        error === null ? { message } : { code: status[error.code], details: error.details },
      );
    const deadline = { deadline: Date.now() + 10_000 };
    const serialize = requestSerialize as (message: object) => Buffer;
    const metadata = new Metadata();
    if (!requestStream) {
      client.makeUnaryRequest(
        path,
        serialize,
        responseDeserialize,
        messages[0]!,
        metadata,
        deadline,
        done,
      );
      return;
    }
    const stream = client.makeClientStreamRequest(
      path,
      serialize,
      responseDeserialize,
      metadata,
      deadline,
      done,
    );
    stream.on("error", () => {});
    for (const message of messages) stream.write(message);
    stream.end();
  });
}

const rpc = (method: unknown) => method as MethodDefinition<object, object>;

test("Echo answers a stock client of the original", async ({ sync }) => {
  const answer = await call(sync, original.Echo!, [{ text: "a session" }]);
  assert.deepEqual(answer, { message: { text: "a session" } });
});

test("StreamFile takes a file from a stock client of the original", async ({ sync, fake }) => {
  const bytes = bytesOf(3000);
  const answer = await call(sync, original.StreamFile!, [
    { metadata: { model_id: "LeNet5", file_name: "config.yaml" } },
    { chunk_data: bytes.subarray(0, 1024) },
    { chunk_data: bytes.subarray(1024, 2048) },
    { chunk_data: bytes.subarray(2048) },
  ]);
  assert.deepEqual(answer, {
    message: { text: "fake successfully received LeNet5/config.yaml" },
  });
  const [file] = fake.files;
  assert.deepEqual([file!.modelId, file!.fileName], ["LeNet5", "config.yaml"]);
  assert(Buffer.from(bytes).equals(file!.bytes));
});

test("StreamFile takes an empty file", async ({ sync, fake }) => {
  const metadata = { model_id: "LeNet5", file_name: "empty" };
  await call(sync, original.StreamFile!, [{ metadata }]);
  assert.equal(fake.files[0]!.bytes.length, 0);
});

test("StreamFile refuses names that lead out of the cache", async ({ sync, fake }) => {
  const names = [
    ["../LeNet5", "a"],
    ["LeNet5", "../../a"],
    ["LeNet5", "/etc/a"],
    ["..", "a"],
    ["LeNet5", "."],
    ["LeNet5", ""],
    ["Le\0Net5", "a"],
    ["LeNet5", "a\\b"],
  ] as const;
  for (const [model_id, file_name] of names) {
    const answer = await call(sync, original.StreamFile!, [
      { metadata: { model_id, file_name } },
      { chunk_data: bytesOf(3) },
    ]);
    assert("code" in answer, `${model_id} ${file_name}`);
    assert.equal(answer.code, "FAILED_PRECONDITION");
    assert.match(answer.details, /^Cannot use ".*" as a (model id|file name): letters/s);
  }
  assert.deepEqual(fake.files, []);
});

test("StreamFile refuses a file larger than a package may be", async ({ sync, fake }) => {
  const chunk_data = new Uint8Array(MAX_PACKAGE_BYTES / 2 + 1);
  const answer = await call(sync, original.StreamFile!, [
    { metadata: { model_id: "LeNet5", file_name: "a" } },
    { chunk_data },
    { chunk_data },
  ]);
  assert("code" in answer);
  assert.equal(answer.code, "FAILED_PRECONDITION");
  assert.match(answer.details, /8388610 bytes of model "LeNet5": at most 8388608/);
  assert.deepEqual(fake.files, []);
});

test("StreamFile refuses bytes without a name, a second file, and nothing", async ({ sync }) => {
  const metadata = { model_id: "LeNet5", file_name: "a" };
  const streams = [[{ chunk_data: bytesOf(3) }], [{ metadata }, { metadata }], [], [{}]];
  for (const messages of streams) {
    const answer = await call(sync, original.StreamFile!, messages);
    assert("code" in answer, JSON.stringify(messages));
    assert.equal(answer.code, "INVALID_ARGUMENT");
  }
});

test("StartTraining of the original says what is spoken here", async ({ sync }) => {
  const answer = await call(sync, original.StartTraining!, [{ model_id: "LeNet5" }]);
  assert("code" in answer);
  assert.equal(answer.code, "UNIMPLEMENTED");
  assert.match(answer.details, /this client speaks flotilla\.v1$/);
});

test("InitBench refuses a job without its parts", async ({ async }) => {
  const answer = await call(async, rpc(edgeRpcs().training.InitBench), [{}]);
  assert("code" in answer);
  assert.equal(answer.code, "INVALID_ARGUMENT");
});

test("PutWeights refuses sizes that are not as announced or allowed", async ({ sync, fake }) => {
  const header = { id: HASH, size: 10 };
  const cases: [string, RegExp, object[]][] = [
    ["INVALID_ARGUMENT", /more than the 10 bytes announced/, [{ header }, { chunk: bytesOf(11) }]],
    ["INVALID_ARGUMENT", /9 bytes, announced as 10/, [{ header }, { chunk: bytesOf(9) }]],
    ["INVALID_ARGUMENT", /start with their header/, [{ chunk: bytesOf(9) }]],
    ["INVALID_ARGUMENT", /start with their header/, []],
    ["INVALID_ARGUMENT", /anything but chunks/, [{ header }, { header }]],
    ["INVALID_ARGUMENT", /64 lower-case hex digits/, [{ header: { id: "../x", size: 1 } }]],
    ["FAILED_PRECONDITION", /weights of 1000001 bytes: at most 1000000/, [
      { header: { id: HASH, size: 1_000_001 } },
    ]],
    ["INVALID_ARGUMENT", /the size/, [{ header: { id: HASH, size: "18446744073709551615" } }]],
  ];
  for (const [code, details, messages] of cases) {
    const answer = await call(sync, rpc(edgeRpcs().store.PutWeights), messages);
    assert("code" in answer, String(details));
    assert.equal(answer.code, code, answer.details);
    assert.match(answer.details, details);
  }
  assert.equal(fake.weights.size, 0);
});

test("PutModelPackage refuses packages that are not as announced", async ({ sync, fake }) => {
  const header = { modelId: "MLP", hash: HASH };
  const file = { path: "a.txt", size: 3 };
  const chunk = bytesOf(3);
  const tooLarge = { path: "b.bin", size: MAX_PACKAGE_BYTES };
  const cases: [RegExp, object[]][] = [
    [/start with its header/, [{ file }, { chunk }]],
    [/a call without a package/, []],
    [/a second package/, [{ header }, { header }]],
    [/more bytes of "a.txt" than announced/, [{ header }, { file }, { chunk }, { chunk }]],
    [/0 bytes of "a.txt", announced as 3/, [{ header }, { file }]],
    [/0 bytes of "a.txt", announced as 3/, [{ header }, { file }, { file: tooLarge }]],
    [/the file "a.txt" twice/, [{ header }, { file }, { chunk }, { file }, { chunk }]],
    [/8388611 bytes of model "MLP": at most 8388608/, [
      { header },
      { file },
      { chunk },
      { file: tooLarge },
    ]],
  ];
  for (const [details, messages] of cases) {
    const answer = await call(sync, rpc(edgeRpcs().store.PutModelPackage), messages);
    assert("code" in answer, String(details));
    assert.match(answer.details, details);
  }
  assert.deepEqual(fake.packages, []);
});

test("StartTraining refuses jobs that lack a part", async ({ async, fake }) => {
  const options = {
    loss: "crossentropy",
    optimizer: "sgd",
    optimizerArgsJson: "{}",
  };
  const job = {
    packageHash: HASH,
    weights: HASH,
    modelArgsJson: "{}",
    trainer: "TRAINER_KIND_TRAIN",
    options,
  };
  const cases: [RegExp, object][] = [
    [/a job without its parts/, {}],
    [/a job without its parts/, { job: { ...job, options: null } }],
    [/unknown kind/, { job: { ...job, trainer: "TRAINER_KIND_UNSPECIFIED" } }],
    [/64 lower-case hex digits/, { job: { ...job, weights: "AB".repeat(32) } }],
    [/not a JSON object/, { job: { ...job, modelArgsJson: "[1]" } }],
    [/not a JSON object/, { job: { ...job, options: { ...options, optimizerArgsJson: "{" } } }],
  ];
  for (const [details, request] of cases) {
    const answer = await call(async, rpc(edgeRpcs().training.StartValidation), [request]);
    assert("code" in answer, String(details));
    assert.equal(answer.code, "INVALID_ARGUMENT");
    assert.match(answer.details, details);
  }
  assert.deepEqual(fake.jobs, []);
});

test("serveEdge() survives bytes that are no message, no frame, no HTTP/2", async (served) => {
  const { sync, async, server } = served;
  // Field 1 with wire type 7, which does not exist.
  const garbage = Buffer.from([0x0f, 1, 2, 3]);
  const { edge, store, training } = edgeRpcs();
  for (const method of [edge.Echo, edge.StreamFile, store.Inventory, store.PutWeights]) {
    const answer = await call(sync, rpc(method), [garbage]);
    assert("code" in answer && answer.code !== "DEADLINE_EXCEEDED", JSON.stringify(answer));
  }
  assert("code" in await call(async, rpc(training.StartValidation), [garbage]));
  for (
    const text of [
      "GET / HTTP/1.1\r\n\r\n",
      "\0\x01\x02",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxx",
    ]
  ) {
    await sendAndHangUp(server.sync, text);
    await sendAndHangUp(server.async, text);
  }
  assert.deepEqual(await call(sync, original.Echo!, [{ text: "alive" }]), {
    message: { text: "alive" },
  });
});

test("serveEdge() names a taken port and the flag", async ({ server }) => {
  const taken = Number(server.sync.split(":")[1]);
  const options = { host: "127.0.0.1", handlers: edgeFake(), logger: silentLogger };
  const sync = serveEdge({ ...options, syncPort: taken, asyncPort: 0 });
  await assert.rejects(sync, (error: unknown) => {
    assert(error instanceof PortTakenError);
    assert.equal(error.port, taken);
    assert.match(error.message, /--client-num or comm_config\.grpc\.sync_port$/);
    return true;
  });
  const async = serveEdge({ ...options, syncPort: 0, asyncPort: taken });
  await assert.rejects(async, /--client-num or comm_config\.grpc\.async_port$/);
});

Deno.test("serveEdge() names an address that is not this machine's", async () => {
  const options = { handlers: edgeFake(), logger: silentLogger, syncPort: 0, asyncPort: 0 };
  const serving = serveEdge({ ...options, host: "192.0.2.1" });
  await assert.rejects(serving, (error: unknown) => {
    assert(error instanceof FileAccessError);
    assert.match(error.message, /^Cannot listen on 192\.0\.2\.1 port 0: /);
    return true;
  });
});

test("close() frees both ports", async ({ server }) => {
  await server.close();
  const [syncPort, asyncPort] = [server.sync, server.async].map((at) => Number(at.split(":")[1]));
  const again = await serveEdge({
    host: "127.0.0.1",
    syncPort: syncPort!,
    asyncPort: asyncPort!,
    handlers: edgeFake(),
    logger: silentLogger,
  });
  assert.deepEqual([again.sync, again.async], [server.sync, server.async]);
  await again.close();
});

function sendAndHangUp(address: string, text: string): Promise<void> {
  const [host, port] = address.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host, () => socket.end(text));
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.resume();
  });
}
