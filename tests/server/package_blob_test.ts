import assert from "node:assert/strict";
import fc from "fast-check";
import { modelPackage } from "../../src/core/model_package.ts";
import { packBlob, unpackBlob } from "../../src/server/package_blob.ts";

const paths = fc.stringMatching(/^[a-z_][a-z_.]{0,5}(\/[a-z_][a-z_.]{0,5}){0,2}$/);

Deno.test("unpackBlob() gives back what packBlob() took, bytes and hash", () => {
  fc.assert(fc.property(fc.dictionary(paths, fc.uint8Array()), (files) => {
    const packed = modelPackage("MLP", files);
    const unpacked = unpackBlob(packBlob(packed));
    assert.equal(unpacked.hash, packed.hash);
    assert.equal(unpacked.id, "MLP");
    assert.deepEqual(
      Object.entries(unpacked.files).map(([path, bytes]) => [path, [...bytes]]),
      Object.entries(files).map(([path, bytes]) => [path, [...bytes]]),
    );
  }));
});

Deno.test("unpackBlob() refuses bytes that are no package", () => {
  const texts = [
    "",
    "null",
    "{}",
    '{"id":"MLP"}',
    '{"id":"MLP","files":{"a":1}}',
    '{"id":"MLP","files":{"a":"*"}}',
    '{"id":"MLP","files":{"../a":""}}',
    '{"id":"..","files":{}}',
  ];
  for (const text of texts) {
    assert.throws(
      () => unpackBlob(new TextEncoder().encode(text)),
      { name: "SessionFailedError", message: "Cannot read the stored model package" },
      text,
    );
  }
});
