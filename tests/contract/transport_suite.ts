/** What every transport must do. A transport's test file runs it with a way to open one. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ModelError, RpcError, type RpcFailure } from "../../src/core/errors.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import { weightsId } from "../../src/core/weights_id.ts";
import type {
  CallOptions,
  ClientLink,
  EdgeHandlers,
  TrainProgress,
  UpdateHeader,
  UpdateSink,
} from "../../src/rpc/transport.ts";
import { bytesOf, edgeFake, jobOf, updateOf } from "./edge_fake.ts";

/** A transport with its clients; frames must be of 256 KiB. */
export interface OpenTransport {
  /** A link to each of the clients, in their order. */
  readonly links: readonly ClientLink[];
  close(): Promise<void>;
}

const FRAME = 256 * 1024;

/** Registers the tests of one transport. */
export function testTransport(
  name: string,
  open: (clients: readonly EdgeHandlers[]) => Promise<OpenTransport>,
): void {
  function test(
    what: string,
    clients: () => readonly Partial<EdgeHandlers>[],
    body: (links: readonly ClientLink[], fakes: ReturnType<typeof edgeFake>[]) => Promise<void>,
  ): void {
    Deno.test(`${name} ${what}`, async () => {
      const fakes = clients().map((own) => edgeFake(own));
      const { links, close } = await open(fakes);
      try {
        await body(links, fakes);
      } finally {
        await close();
      }
    });
  }

  test("echo() brings the client's answer", () => [{ echo: (text) => `heard ${text}` }], async (
    [link],
  ) => {
    assert.equal(await link!.echo("hello ✓", within(5000)), "heard hello ✓");
  });

  test(
    "inventory() brings the client's subset",
    () => [{
      inventory: ({ packages, weights }) =>
        Promise.resolve({ packages: packages.slice(1), weights: weights.slice(0, 1) }),
    }],
    async ([link]) => {
      const asked = { packages: ["aa", "bb"], weights: ["cc", "dd"] };
      assert.deepEqual(await link!.inventory(asked, within(5000)), {
        packages: ["bb"],
        weights: ["cc"],
      });
      const none = { packages: [], weights: [] };
      assert.deepEqual(await link!.inventory(none, within(5000)), none);
    },
  );

  test("putModelPackage() delivers all files", () => [{}], async ([link], [fake]) => {
    const files = {
      "config.yaml": new TextEncoder().encode("model_id: MLP\n"),
      "layers/empty.json": new Uint8Array(0),
      "model.json": bytesOf(FRAME + 1),
    };
    const sent = modelPackage("MLP", files);
    assert.equal(await link!.putModelPackage(sent, within(5000)), 14 + FRAME + 1);
    const [got] = fake!.packages;
    assert.deepEqual([got!.id, got!.hash], ["MLP", sent.hash]);
    assert.equal(modelPackage("MLP", got!.files).hash, sent.hash);
  });

  for (const size of [0, 1, FRAME, FRAME + 1, 5_000_000]) {
    test(`putWeights() delivers ${size} bytes`, () => [{}], async ([link], [fake]) => {
      const bytes = bytesOf(size);
      const id = weightsId(bytes);
      assert.equal(await link!.putWeights(id, bytes, within(10_000)), size);
      assert.equal(weightsId(fake!.weights.get(id)!), id);
    });

    test(`train() brings an update of ${size} bytes`, () => [{
      train: () => Promise.resolve(updateOf(bytesOf(size))),
    }], async ([link]) => {
      const sink = collectingSink();
      await link!.train(jobOf("cd".repeat(32)), sink, within(10_000));
      assert.deepEqual(sink.header, updateOf(bytesOf(size)).header);
      assert.equal(weightsId(Buffer.concat(sink.chunks)), sink.header!.weights);
    });
  }

  test("train() carries every field of job and progress", () => [{}], async ([link], [fake]) => {
    const job = jobOf("cd".repeat(32));
    const other = jobOf("ef".repeat(32), {
      options: { ...job.options, timeLimitSeconds: null, maxMiniBatches: 7 },
      modelArgs: {},
      seed: 0,
      trainer: "echo",
    });
    const sink = collectingSink();
    await link!.train(job, sink, within(5000));
    await link!.train(other, collectingSink(), within(5000));
    assert.deepEqual(fake!.jobs, [job, other]);
    assert.deepEqual(sink.progressed, [
      { batchesDone: 1, batchesTotal: 2, loss: null },
      { batchesDone: 2, batchesTotal: 2, loss: 0.5 },
    ]);
  });

  test("benchmark() brings what was measured", () => [{}], async ([link], [fake]) => {
    const job = jobOf("cd".repeat(32));
    assert.deepEqual(await link!.benchmark(job, within(5000)), { miniBatches: 12, seconds: 1.5 });
    assert.deepEqual(fake!.jobs, [job]);
  });

  test("validate() brings the evaluation", () => [{}], async ([link], [fake]) => {
    const job = jobOf("cd".repeat(32));
    const expected = { loss: 0.25, accuracy: null, samples: 40 };
    assert.deepEqual(await link!.validate(job, within(5000)), expected);
    assert.deepEqual(fake!.jobs, [job]);
  });

  const no = () => {
    throw new ModelError('Cannot use "MLP" here: ask for "LeNet5"');
  };
  test("brings the client's refusals with their words", () => [{
    inventory: no,
    receivePackage: no,
    receiveWeights: no,
    train: no,
    validate: no,
  }], async ([link]) => {
    const job = jobOf("cd".repeat(32));
    const calls = [
      link!.inventory({ packages: [], weights: [] }, within(5000)),
      link!.putModelPackage(modelPackage("MLP", { "a.txt": bytesOf(10) }), within(5000)),
      link!.putWeights("cd".repeat(32), bytesOf(5_000_000), within(5000)),
      link!.train(job, collectingSink(), within(5000)),
      link!.validate(job, within(5000)),
    ];
    const words = /^Cannot use "MLP" here: ask for "LeNet5"$/;
    await Promise.all(calls.map((call) => rejectsWith("refused", call, words)));
  });

  test("reports a fault in a handler as a broken protocol", () => [{
    validate: () => Promise.reject(new TypeError("x is not a function")),
  }], async ([link]) => {
    const call = link!.validate(jobOf("cd".repeat(32)), within(5000));
    await rejectsWith("protocol", call, /x is not a function/);
  });

  test("fails a call at its deadline when the client is silent", () => [{
    inventory: never,
    receiveWeights: never,
    train: never,
  }], async ([link]) => {
    const nothing = { packages: [], weights: [] };
    const calls = [
      link!.inventory(nothing, within(100)),
      link!.putWeights("cd".repeat(32), bytesOf(5_000_000), within(100)),
      link!.train(jobOf("cd".repeat(32)), collectingSink(), within(100)),
    ];
    await Promise.all(calls.map((call) => rejectsWith("deadline", call, /deadline/)));
    assert.equal(await link!.echo("still there", within(5000)), "Ack");
  });

  test("does not begin a call whose signal has aborted", () => [{}], async ([link], [fake]) => {
    const call = { signal: AbortSignal.abort(), deadlineMs: 5000 };
    await rejectsWith("cancelled", link!.echo("x", call));
    await rejectsWith("cancelled", link!.putWeights("cd".repeat(32), bytesOf(9), call));
    await rejectsWith("cancelled", link!.train(jobOf("cd".repeat(32)), collectingSink(), call));
    assert.deepEqual(fake!.jobs, []);
  });

  const started = Promise.withResolvers<void>();
  const stopped = Promise.withResolvers<void>();
  test("train() that is cancelled stops the client's training", () => [{
    train(_job, _onProgress, signal) {
      signal.addEventListener("abort", () => stopped.resolve());
      started.resolve();
      return never();
    },
  }], async ([link]) => {
    const abort = new AbortController();
    const call = { signal: abort.signal, deadlineMs: 20_000 };
    const running = link!.train(jobOf("cd".repeat(32)), collectingSink(), call);
    await started.promise;
    abort.abort();
    await rejectsWith("cancelled", running);
    await stopped.promise;
  });

  const lateStop = Promise.withResolvers<void>();
  test("train() that is late stops the client's training", () => [{
    train(_job, _onProgress, signal) {
      signal.addEventListener("abort", () => lateStop.resolve());
      return never();
    },
  }], async ([link]) => {
    await rejectsWith(
      "deadline",
      link!.train(jobOf("cd".repeat(32)), collectingSink(), within(100)),
    );
    await lateStop.promise;
  });

  const broken = Promise.withResolvers<void>();
  test("putWeights() that is cancelled breaks off the client's bytes", () => [{
    async receiveWeights(_id, _size, bytes) {
      try {
        for await (const _ of bytes) await new Promise((resolve) => setTimeout(resolve, 5));
      } catch {
        broken.resolve();
      }
    },
  }], async ([link]) => {
    const abort = new AbortController();
    const call = { signal: abort.signal, deadlineMs: 20_000 };
    const running = link!.putWeights("cd".repeat(32), bytesOf(60_000_000), call);
    await link!.echo("under way", within(5000));
    abort.abort();
    await rejectsWith("cancelled", running);
    await broken.promise;
  });

  test("train() throws what the sink throws", () => [{
    train: () => Promise.resolve(updateOf(bytesOf(5_000_000))),
  }], async ([link]) => {
    const refusal = new RangeError("too large");
    const atOnce: UpdateSink = { progress() {}, update: () => Promise.reject(refusal) };
    const job = jobOf("cd".repeat(32));
    await assert.rejects(link!.train(job, atOnce, within(5000)), refusal);
    const midway: UpdateSink = {
      progress() {},
      async update(_header, bytes) {
        for await (const _ of bytes) throw refusal;
      },
    };
    await assert.rejects(link!.train(job, midway, within(5000)), refusal);
    assert.equal(await link!.echo("still there", within(5000)), "Ack");
  });

  test("train() ends when the sink hangs and the deadline passes", () => [{}], async ([link]) => {
    const hanging: UpdateSink = { progress() {}, update: never };
    // Held back, so that the client has more to say when the deadline comes.
    const running = link!.train(jobOf("cd".repeat(32)), hanging, within(200));
    await rejectsWith("deadline", running);
  });

  test("train() reports an update that is not as long as announced", () => [{
    train: () => {
      const { header, bytes } = updateOf(bytesOf(1000));
      return Promise.resolve({ header: { ...header, bytes: 1001 }, bytes });
    },
  }, {
    train: () => {
      const { header, bytes } = updateOf(bytesOf(1000));
      return Promise.resolve({ header: { ...header, bytes: 999 }, bytes });
    },
  }], async (links) => {
    for (const link of links) {
      const running = link.train(jobOf("cd".repeat(32)), collectingSink(), within(5000));
      await rejectsWith("protocol", running, /announced/);
    }
  });

  test("train() calls to one client that end with the same weights both end", () => [{
    train: () => Promise.resolve(updateOf(bytesOf(600_000))),
  }], async ([link]) => {
    const sinks = [1, 2, 3].map(() => collectingSink());
    await Promise.all(
      sinks.map((sink) => link!.train(jobOf("cd".repeat(32)), sink, within(10_000))),
    );
    for (const { chunks } of sinks) assert.equal(Buffer.concat(chunks).length, 600_000);
  });

  const firstInside = Promise.withResolvers<void>();
  const secondInside = Promise.withResolvers<void>();
  test("train() calls to two clients do not wait for each other", () => [{
    async train() {
      firstInside.resolve();
      await secondInside.promise;
      return updateOf(bytesOf(1));
    },
  }, {
    async train() {
      secondInside.resolve();
      await firstInside.promise;
      return updateOf(bytesOf(2));
    },
  }], async (links) => {
    const sinks = links.map(() => collectingSink());
    await Promise.all(
      links.map((link, i) => link.train(jobOf("cd".repeat(32)), sinks[i]!, within(5000))),
    );
    assert.deepEqual(sinks.map(({ header }) => header!.bytes), [1, 2]);
  });

  const begun = Promise.withResolvers<void>();
  test("close() ends calls in flight", () => [{
    train() {
      begun.resolve();
      return never();
    },
  }], async ([link]) => {
    const running = link!.train(jobOf("cd".repeat(32)), collectingSink(), within(20_000));
    await begun.promise;
    link!.close();
    await rejectsWith("unavailable", running);
  });

  test("close() leaves other links to work", () => [{}, {}], async (links) => {
    await links[0]!.echo("x", within(5000));
    links[0]!.close();
    links[0]!.close();
    await rejectsWith("unavailable", links[0]!.echo("x", within(5000)), /the link is closed/);
    const running = links[0]!.train(jobOf("cd".repeat(32)), collectingSink(), within(5000));
    await rejectsWith("unavailable", running, /the link is closed/);
    assert.equal(await links[1]!.echo("x", within(5000)), "Ack");
  });
}

/** A call's bounds without cancelling. */
export function within(deadlineMs: number): CallOptions {
  return { signal: new AbortController().signal, deadlineMs };
}

/** A sink that keeps everything. */
export function collectingSink() {
  const sink = {
    progressed: [] as TrainProgress[],
    header: undefined as UpdateHeader | undefined,
    chunks: [] as Uint8Array[],
    progress(progress: TrainProgress) {
      sink.progressed.push(progress);
    },
    async update(header: UpdateHeader, bytes: AsyncIterable<Uint8Array>) {
      sink.header = header;
      for await (const chunk of bytes) sink.chunks.push(chunk);
    },
  };
  return sink;
}

/** Asserts that a call fails in the given way. */
export function rejectsWith(failure: RpcFailure, call: Promise<unknown>, message = /./) {
  return assert.rejects(call, (error: unknown) => {
    assert(error instanceof RpcError, String(error));
    assert.equal(error.failure, failure, error.message);
    assert.match(error.message, message);
    return true;
  });
}

function never(): Promise<never> {
  return new Promise(() => {});
}
