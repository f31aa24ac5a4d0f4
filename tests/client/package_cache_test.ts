import assert from "node:assert/strict";
import { join } from "node:path";
import { checkPackage, PackageCache } from "../../src/client/package_cache.ts";
import { modelPackage } from "../../src/core/model_package.ts";
import { createLogger, type LogRecord, silentLogger } from "../../src/log/log.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const FIRST = modelPackage("MLP", {
  "model.json": bytes("{}"),
  "config.yaml": bytes("a: 1"),
  "layers/dense.json": bytes("[]"),
});
const SECOND = modelPackage("MLP", { "model.json": bytes("{ }") });

function open(folder: string): Promise<PackageCache> {
  return PackageCache.open(folder, silentLogger);
}

Deno.test("PackageCache keeps packages over restarts, found by hash", async () => {
  await inTempFolder(async (root) => {
    const cache = await open(root);
    assert.deepEqual(cache.hashes(), {});
    const other = modelPackage("other", { "model.js": bytes("") });
    await cache.put(FIRST);
    await cache.put(other);
    for (const held of [cache, await open(root)]) {
      assert.deepEqual(held.hashes(), { MLP: FIRST.hash, other: other.hash });
      const found = held.find(FIRST.hash)!;
      assert.equal(found.id, "MLP");
      assert.deepEqual(
        Object.keys(found.files).sort(),
        ["config.yaml", "layers/dense.json", "model.json"],
      );
      assert.equal(held.find(SECOND.hash), undefined);
    }
  });
});

Deno.test("PackageCache.put() replaces a model's package, without leftovers of the old one", async () => {
  await inTempFolder(async (root) => {
    const cache = await open(root);
    await cache.put(FIRST);
    await cache.put(SECOND);
    for (const held of [cache, await open(root)]) {
      assert.deepEqual(held.hashes(), { MLP: SECOND.hash });
      assert.equal(held.find(FIRST.hash), undefined);
    }
  });
});

Deno.test("PackageCache.open() does not take a torn package for the whole one", async () => {
  await inTempFolder(async (root) => {
    await (await open(root)).put(FIRST);
    await Deno.remove(join(root, "model_cache", "MLP", "config.yaml"));
    const torn = await open(root);
    assert.equal(torn.find(FIRST.hash), undefined);
    await torn.put(FIRST);
    assert.notEqual((await open(root)).find(FIRST.hash), undefined);
  });
});

Deno.test("PackageCache.open() drops with a warning what is no package, and keeps the rest", async () => {
  await inTempFolder(async (root) => {
    await (await open(root)).put(FIRST);
    const models = join(root, "model_cache");
    // Cut off before its model file came; a crash's temporary file; a stranger's file.
    await Deno.mkdir(join(models, "torn"));
    await Deno.writeTextFile(join(models, "torn", "config.yaml"), "");
    await Deno.writeTextFile(join(models, "MLP", ".half.tmp"), "");
    await Deno.writeTextFile(join(models, "note.txt"), "");
    const records: LogRecord[] = [];
    const cache = await PackageCache.open(root, createLogger((record) => records.push(record)));
    assert.deepEqual(cache.hashes(), { MLP: FIRST.hash });
    assert.deepEqual(records.map(({ event, level }) => [event, level]), [
      ["package_dropped", "warning"],
    ]);
    assert.match(records[0]!.message, /^Dropped the cached model torn: /);
    const left = await Array.fromAsync(Deno.readDir(models));
    assert.deepEqual(left.map(({ name }) => name).sort(), ["MLP", "note.txt"]);
  });
});

Deno.test("PackageCache.putFile() builds a package file by file, as the original sends it", async () => {
  await inTempFolder(async (root) => {
    const cache = await open(root);
    const hashes = [];
    for (const [path, content] of Object.entries(FIRST.files)) {
      await cache.putFile("MLP", path, content);
      hashes.push(cache.hashes()["MLP"]);
    }
    assert.equal(new Set(hashes).size, 3);
    assert.equal(hashes.at(-1), FIRST.hash);
    assert.notEqual((await open(root)).find(FIRST.hash), undefined);
    await cache.putFile("MLP", "model.json", bytes("changed"));
    assert.equal(cache.find(FIRST.hash), undefined);
  });
});

Deno.test("PackageCache.putFile() writes nothing outside of the model's folder", async () => {
  await inTempFolder(async (root) => {
    const cache = await open(root);
    const hostile: [string, string][] = [
      ["MLP", "../evil"],
      ["MLP", "a/../../evil"],
      ["MLP", join(root, "evil")],
      ["..", "evil"],
      ["../../etc", "evil"],
      ["MLP", ""],
    ];
    for (const [model, path] of hostile) {
      await assert.rejects(cache.putFile(model, path, bytes("x")), { name: "ModelError" });
    }
    assert.deepEqual(cache.hashes(), {});
    const written = await Array.fromAsync(Deno.readDir(root));
    assert.deepEqual(written.map(({ name }) => name), ["model_cache"]);
    assert.deepEqual(await Array.fromAsync(Deno.readDir(join(root, "model_cache"))), []);
  });
});

Deno.test("checkPackage() takes the package that its sender named and no other", () => {
  assert.deepEqual(checkPackage(FIRST), FIRST);
  assert.throws(() => checkPackage({ ...FIRST, hash: SECOND.hash }), {
    name: "ModelError",
    message: `Cannot take model package "MLP" with hash ${FIRST.hash}: it claims ${SECOND.hash}`,
  });
  const evil = { id: "MLP", hash: FIRST.hash, files: { "../evil": bytes("x") } };
  assert.throws(() => checkPackage(evil), { name: "ModelError", message: /"\.\.\/evil"/ });
});
