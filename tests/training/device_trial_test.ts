/** The trial of devices, on a clock that only the steps move. */
import assert from "node:assert/strict";
import type { Device } from "../../src/core/metrics.ts";
import { chooseByTrial } from "../../src/training/device_choice.ts";
import { type Contestant, rankBySpeed } from "../../src/training/device_trial.ts";

/** Contestants whose steps take these milliseconds, the last of them for ever, and their clock. */
class FakeRace {
  nowMs = 5000;
  readonly steps: Record<Device, number> = { cpu: 0, webgpu: 0 };
  readonly now = () => this.nowMs;

  contestant(device: Device, ...milliseconds: number[]): Contestant {
    return {
      device,
      step: () => {
        this.nowMs += milliseconds[Math.min(this.steps[device]++, milliseconds.length - 1)]!;
        return Promise.resolve();
      },
    };
  }
}

Deno.test("rankBySpeed() gives each half of the time, and does not count the first step", async () => {
  const race = new FakeRace();
  const ranked = await rankBySpeed(
    [race.contestant("cpu", 100, 4), race.contestant("webgpu", 300, 2)],
    race.now,
  );
  assert.deepEqual(ranked, [
    { device: "webgpu", stepMs: 2, failure: null },
    { device: "cpu", stepMs: 4, failure: null },
  ]);
  // (500 - 100) / 4 and (500 - 300) / 2 steps behind the first one.
  assert.deepEqual(race.steps, { cpu: 101, webgpu: 101 });
  assert.equal(race.nowMs, 6000);
});

Deno.test("rankBySpeed() measures one step of those that use their time up with the first", async () => {
  const race = new FakeRace();
  const ranked = await rankBySpeed(
    [race.contestant("cpu", 900, 800), race.contestant("webgpu", 2000, 700)],
    race.now,
  );
  assert.deepEqual(ranked.map(({ device, stepMs }) => [device, stepMs]), [
    ["webgpu", 700],
    ["cpu", 800],
  ]);
  assert.deepEqual(race.steps, { cpu: 2, webgpu: 2 });
});

Deno.test("rankBySpeed() puts the earlier of equals first, and who fails last", async () => {
  const race = new FakeRace();
  const equal = await rankBySpeed(
    [race.contestant("cpu", 10), race.contestant("webgpu", 10)],
    race.now,
  );
  assert.deepEqual(equal.map(({ device }) => device), ["cpu", "webgpu"]);
  const failure = new Error("no such kernel");
  const broken: Contestant = { device: "webgpu", step: () => Promise.reject(failure) };
  const ranked = await rankBySpeed([broken, race.contestant("cpu", 400)], race.now);
  assert.deepEqual(ranked.map(({ device }) => device), ["cpu", "webgpu"]);
  assert.equal(ranked[1]!.failure, failure);
});

const RADEON = { name: "Radeon", isSoftware: false };

Deno.test("chooseByTrial() takes the faster device, and tells both times", async () => {
  for (const [cpuMs, gpuMs, device] of [[8, 2, "webgpu"], [2, 8, "cpu"]] as const) {
    const race = new FakeRace();
    const times = { cpu: cpuMs, webgpu: gpuMs };
    const decision = await chooseByTrial(
      (device) => Promise.resolve(race.contestant(device, times[device])),
      { adapter: () => Promise.resolve(RADEON), now: race.now },
    );
    assert.deepEqual(decision, {
      device,
      text: `Trains on ${device} after a trial with Radeon: ` +
        (device === "cpu"
          ? "cpu 2.00 ms a batch, webgpu 8.00 ms a batch"
          : "webgpu 2.00 ms a batch, cpu 8.00 ms a batch"),
    });
  }
});

Deno.test("chooseByTrial() tries nothing without a real adapter", async () => {
  const prepare = () => Promise.reject(new Error("must not be tried"));
  for (
    const [adapter, reason] of [
      [null, "there is no WebGPU adapter"],
      [{ name: "llvmpipe", isSoftware: true }, "llvmpipe is software"],
    ] as const
  ) {
    assert.deepEqual(
      await chooseByTrial(prepare, { adapter: () => Promise.resolve(adapter) }),
      { device: "cpu", text: `Trains on cpu as ${reason}` },
    );
  }
});

Deno.test("chooseByTrial() stays on the cpu where the adapter does not start or breaks off", async () => {
  const race = new FakeRace();
  const surroundings = { adapter: () => Promise.resolve(RADEON), now: race.now };
  const unready = await chooseByTrial(
    (device) =>
      device === "cpu"
        ? Promise.resolve(race.contestant("cpu", 2))
        : Promise.reject(new Error("device lost")),
    surroundings,
  );
  assert.deepEqual(unready, { device: "cpu", text: "Trains on cpu: device lost" });
  const broken = await chooseByTrial(
    (device) =>
      Promise.resolve(
        device === "cpu"
          ? race.contestant("cpu", 2)
          : { device, step: () => Promise.reject(new Error("no kernel")) },
      ),
    surroundings,
  );
  assert.equal(broken.device, "cpu");
  assert.match(broken.text, /cpu 2.00 ms a batch, webgpu failed \(no kernel\)$/);
});
