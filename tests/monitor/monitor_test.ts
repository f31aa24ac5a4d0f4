/** What is read of a system, and how samples are kept. */
import assert from "node:assert/strict";
import { type ResourceSample, summariseResources } from "../../src/core/resources.ts";
import { noteUtilisation } from "../../src/monitor/gpu.ts";
import { parseIo, parseNetDev, parseStatus } from "../../src/monitor/linux.ts";
import { openMeter, type Reading } from "../../src/monitor/meter.ts";
import { appendSample, parseSamples, readSamples } from "../../src/monitor/resources_csv.ts";

const NOTHING = {
  virtualBytes: null,
  swapBytes: null,
  threads: null,
  netReceivedBytes: null,
  netSentBytes: null,
  diskReadBytes: null,
  diskWrittenBytes: null,
  gpuPercent: null,
};

Deno.test("parseStatus(), parseIo() and parseNetDev() read what Linux writes", () => {
  assert.deepEqual(parseStatus("Name:\tdeno\nVmSize:\t    12 kB\nThreads:\t6\nVmSwap:\t 0 kB\n"), {
    threads: 6,
    virtualBytes: 12288,
    swapBytes: 0,
  });
  assert.deepEqual(parseIo("rchar: 9\nread_bytes: 4096\nwrite_bytes: 8192\n"), {
    diskRead: 4096,
    diskWritten: 8192,
  });
  const dev = "Inter-| Receive | Transmit\n face |bytes packets|bytes\n" +
    "    lo: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n  eth0:100 2 0 0 0 0 0 0 30 1 0 0 0 0 0 0\n";
  assert.deepEqual(parseNetDev(dev), { netReceived: 105, netSent: 37 });
});

Deno.test("parseStatus(), parseIo() and parseNetDev() know nothing where there is no text", () => {
  assert.deepEqual(parseStatus(""), { threads: null, virtualBytes: null, swapBytes: null });
  assert.deepEqual(parseIo(""), { diskRead: null, diskWritten: null });
  assert.deepEqual(parseNetDev(""), { netReceived: null, netSent: null });
});

Deno.test("openMeter() gives what was used since the sample before, by the monotonic clock", async () => {
  const first: Reading = {
    ...{ cpuMicroseconds: 1_000_000, rssBytes: 5, threads: 2, virtualBytes: 9, swapBytes: 0 },
    ...{ netReceived: 100, netSent: 50, diskRead: 10, diskWritten: null },
  };
  // 1.5 s of processor in 1 s; an interface went away with its count.
  const second = {
    ...first,
    cpuMicroseconds: 2_500_000,
    netReceived: 20,
    netSent: 80,
    diskRead: 14,
  };
  const readings = [first, second];
  const times = [0, 1000];
  const clock = { epochMs: () => 42, monotonicMs: () => times.shift()! };
  const meter = await openMeter(
    clock,
    { percent: () => 30 },
    () => Promise.resolve(readings.shift()!),
  );
  assert.deepEqual(await meter.sample(), {
    ...{ atMs: 42, cpuPercent: 150, rssBytes: 5, virtualBytes: 9, swapBytes: 0, threads: 2 },
    ...{ netReceivedBytes: 0, netSentBytes: 30, diskReadBytes: 4, diskWrittenBytes: null },
    gpuPercent: 30,
  });
});

Deno.test("openMeter() measures this very process", async () => {
  const clock = { epochMs: () => Date.now(), monotonicMs: () => performance.now() };
  const meter = await openMeter(clock, { percent: () => null });
  const until = performance.now() + 50;
  while (performance.now() < until);
  const { cpuPercent, rssBytes } = await meter.sample();
  assert(cpuPercent > 0, `${cpuPercent}`);
  assert(rssBytes > 2 ** 20, `${rssBytes}`);
});

Deno.test("noteUtilisation() takes lines of the tool and nothing else", () => {
  const latest = new Map<string, number>();
  for (const line of ["0, 40", "1, 20", "0, 60", "No devices were found", ""]) {
    noteUtilisation(line, latest);
  }
  assert.deepEqual([...latest], [["0", 60], ["1", 20]]);
});

Deno.test("appendSample() writes what readSamples() reads, and a line cut short is left out", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/r.csv`;
    const samples: ResourceSample[] = [
      { ...NOTHING, atMs: 1, cpuPercent: 12.5, rssBytes: 100 },
      { ...NOTHING, atMs: 2, cpuPercent: 0, rssBytes: 200, threads: 7, gpuPercent: 3 },
    ];
    for (const sample of samples) await appendSample(path, sample);
    assert.deepEqual(await readSamples(path), samples);
    const text = await Deno.readTextFile(path);
    assert.equal(text.split("\n").length, 4);
    assert.deepEqual(parseSamples(text.slice(0, -5)), samples.slice(0, 1));
    assert.deepEqual(await readSamples(`${folder}/none.csv`), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("summariseResources() gives means, greatest and sums of what is known", () => {
  assert.equal(summariseResources([]), null);
  assert.deepEqual(
    summariseResources([
      { ...NOTHING, atMs: 1, cpuPercent: 10, rssBytes: 100, netSentBytes: 5 },
      { ...NOTHING, atMs: 2, cpuPercent: 30, rssBytes: 300, netSentBytes: 7, threads: 4 },
    ]),
    {
      ...{ samples: 2, cpu_percent: { mean: 20, most: 30 }, rss_bytes: { mean: 200, most: 300 } },
      ...{ threads: { mean: 4, most: 4 }, gpu_percent: null, net_received_bytes: null },
      ...{ net_sent_bytes: 12, disk_read_bytes: null, disk_written_bytes: null },
    },
  );
});
