import assert from "node:assert/strict";
import { readPackage } from "../../src/config/read_package.ts";
import { MAX_PACKAGE_BYTES } from "../../src/core/model_package.ts";
import { Folder } from "../cli/leader_world.ts";

Deno.test("readPackage() reads the regular files of the tree, without hidden ones", async () => {
  await using folder = await new Folder().write({
    "config.yaml": "a: 1\n",
    "model.js": "export default 1",
    "parts/deep/layers.json": "[]",
    ".git/config": "",
    "__pycache__/x.pyc": "",
  });
  const { id, files } = await readPackage(folder.path, "MLP");
  assert.equal(id, "MLP");
  assert.deepEqual(Object.keys(files).sort(), [
    "config.yaml",
    "model.js",
    "parts/deep/layers.json",
  ]);
  assert.equal(new TextDecoder().decode(files["config.yaml"]), "a: 1\n");
});

Deno.test("readPackage() refuses a model in Python and says what to write instead", async () => {
  await using folder = await new Folder().write({ "model.py": "import torch", "config.yaml": "" });
  await assert.rejects(readPackage(folder.path, "MLP"), {
    name: "ModelError",
    message: /"model\.py".*"model\.json".*"model\.js" or "model\.ts"/,
  });
});

Deno.test("readPackage() refuses a folder without a model", async () => {
  await using folder = await new Folder().write({ "config.yaml": "" });
  await assert.rejects(readPackage(folder.path, "MLP"), {
    name: "ModelError",
    message: /has no model: write a "model\.json"/,
  });
});

Deno.test("readPackage() refuses links, wherever they lead", async () => {
  await using folder = await new Folder().write({ "model.json": "{}" });
  await Deno.symlink("/etc/hostname", `${folder.path}/data.txt`);
  await assert.rejects(readPackage(folder.path, "MLP"), {
    name: "ModelError",
    message: /"data\.txt", which is a link/,
  });
});

Deno.test("readPackage() refuses more bytes than a package may have, without reading them", async () => {
  await using folder = await new Folder().write({ "model.json": "{}", "weights.bin": "" });
  await Deno.truncate(`${folder.path}/weights.bin`, MAX_PACKAGE_BYTES + 1);
  await assert.rejects(readPackage(folder.path, "MLP"), {
    name: "ModelError",
    message: /too large at "weights\.bin"/,
  });
});

Deno.test("readPackage() refuses more than 200 files", async () => {
  const names = Array.from({ length: 201 }, (_, i) => [`file_${i}.txt`, ""]);
  await using folder = await new Folder().write({
    ...Object.fromEntries(names),
    "model.json": "{}",
  });
  await assert.rejects(readPackage(folder.path, "MLP"), /at most 200/);
});
