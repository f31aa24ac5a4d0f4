import assert from "node:assert/strict";
import { modelNameIn, readHardware } from "../../src/discovery/hardware.ts";

Deno.test("modelNameIn() finds the first processor's name", () => {
  const cpuinfo = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC 9R14 \ncache\t: 1\n\n" +
    "processor\t: 1\nmodel name\t: Another\n";
  assert.equal(modelNameIn(cpuinfo), "AMD EPYC 9R14");
});

Deno.test("modelNameIn() is null where the file names none, as on many ARMs", () => {
  assert.equal(modelNameIn("processor\t: 0\nCPU part\t: 0xd0c\n"), null);
  assert.equal(modelNameIn("model name\t: \n"), null);
  assert.equal(modelNameIn(""), null);
});

Deno.test("readHardware() describes this machine in the original's fields", async () => {
  const hardware = await readHardware();
  assert.deepEqual(
    Object.keys(hardware).sort(),
    ["arch", "cpu_core_count", "cuda_available", "model_name"],
  );
  assert.ok(["x86_64", "aarch64"].includes(hardware.arch), hardware.arch);
  assert.match(hardware.cpu_core_count, /^[1-9]\d*$/);
});
