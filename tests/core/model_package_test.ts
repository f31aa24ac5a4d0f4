import assert from "node:assert/strict";
import fc from "fast-check";
import { MAX_PACKAGE_BYTES, modelPackage, sha256 } from "../../src/core/model_package.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const files = { "model.json": bytes("{}"), "config.yaml": bytes("x") };

Deno.test("modelPackage() hashes the lines of file hashes and paths, in order of path", () => {
  // Computed with sha256sum: sha256("x") + "  config.yaml\n" + sha256("{}") + "  model.json\n".
  const hash = "62246f70b044d7d141e868fc386dc03f73da7ff7e164460b7e66dfe11b6301a9";
  assert.equal(modelPackage("MLP", files).hash, hash);
  const reversed = Object.fromEntries(Object.entries(files).reverse());
  assert.equal(modelPackage("other", reversed).hash, hash);
});

Deno.test("modelPackage() has another hash when a byte, a path or the number of files changes", () => {
  const hashes = [
    files,
    { ...files, "model.json": bytes("{ }") },
    { "model.json": files["config.yaml"], "config.yaml": files["model.json"] },
    { "model.js": files["model.json"], "config.yaml": files["config.yaml"] },
    { "a/model.json": files["model.json"], "config.yaml": files["config.yaml"] },
    { "model.json": files["model.json"] },
    {},
  ].map((changed) => modelPackage("MLP", changed as Record<string, Uint8Array>).hash);
  assert.equal(new Set(hashes).size, hashes.length);
});

Deno.test("modelPackage() refuses paths that leave the package or cannot travel", () => {
  const hostile = [
    "../model.json",
    "a/../b",
    "/etc/passwd",
    "a//b",
    "a/",
    "",
    ".",
    "..",
    "...",
    "a\\b",
    "C:x",
    "a\0b",
    "a b",
    "model.json\n",
    "é.json",
    "x".repeat(101),
    "1/2/3/4/5/6/7/8/9",
  ];
  for (const path of hostile) {
    assert.throws(() => modelPackage("MLP", { [path]: bytes("x") }), {
      name: "ModelError",
      message: `Cannot use the file "${path}" in model package "MLP": ` +
        "a path inside the package is needed",
    });
  }
  for (const path of ["a", "1/2/3/4/5/6/7/8", "..a", "a..b", "x".repeat(100)]) {
    assert.deepEqual(Object.keys(modelPackage("MLP", { [path]: bytes("x") }).files), [path]);
  }
});

Deno.test("modelPackage() never accepts a path that resolves outside of its folder", () => {
  const parts = fc.constantFrom("..", ".", "a", "", "/", "\\", "%2e%2e");
  fc.assert(fc.property(fc.array(parts, { maxLength: 6 }), (chosen) => {
    const path = chosen.join("/");
    try {
      modelPackage("MLP", { [path]: bytes("x") });
    } catch {
      return;
    }
    assert.equal(new URL(path, "file:///root/package/").pathname, `/root/package/${path}`);
  }));
});

Deno.test("modelPackage() refuses an id that is no plain name", () => {
  for (const id of ["", ".", "..", "a/b", "a b", "x".repeat(101), "a\n"]) {
    assert.throws(() => modelPackage(id, files), { name: "ModelError", message: /as a model id/ });
  }
  assert.equal(modelPackage("LeNet-5.v1_2", files).id, "LeNet-5.v1_2");
});

Deno.test("modelPackage() refuses one byte more than a package may hold", () => {
  const half = new Uint8Array(MAX_PACKAGE_BYTES / 2);
  modelPackage("MLP", { a: half, b: half });
  assert.throws(() => modelPackage("MLP", { a: half, b: half, c: new Uint8Array(1) }), {
    name: "ModelError",
    message: 'Cannot use model package "MLP" as it holds 8388609 bytes: at most 8388608',
  });
});

Deno.test("sha256() hashes text as UTF-8", () => {
  assert.equal(sha256("é"), sha256(new Uint8Array([0xc3, 0xa9])));
});
