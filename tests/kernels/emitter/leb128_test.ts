import assert from "node:assert/strict";
import { signedLeb, unsignedLeb } from "../../../src/kernels/emitter/leb128.ts";

Deno.test("unsignedLeb() encodes seven bits a byte, lowest first", () => {
  assert.deepEqual(unsignedLeb(0), [0]);
  assert.deepEqual(unsignedLeb(127), [0x7f]);
  assert.deepEqual(unsignedLeb(128), [0x80, 1]);
  assert.deepEqual(unsignedLeb(624485), [0xe5, 0x8e, 0x26]);
  assert.deepEqual(unsignedLeb(0xffffffff), [0xff, 0xff, 0xff, 0xff, 0x0f]);
});

Deno.test("signedLeb() extends the sign from the last byte", () => {
  assert.deepEqual(signedLeb(0), [0]);
  assert.deepEqual(signedLeb(-1), [0x7f]);
  assert.deepEqual(signedLeb(63), [0x3f]);
  assert.deepEqual(signedLeb(64), [0xc0, 0]);
  assert.deepEqual(signedLeb(-64), [0x40]);
  assert.deepEqual(signedLeb(-65), [0xbf, 0x7f]);
  assert.deepEqual(signedLeb(-123456), [0xc0, 0xbb, 0x78]);
  assert.deepEqual(signedLeb(0x7fffffff), [0xff, 0xff, 0xff, 0xff, 0x07]);
  assert.deepEqual(signedLeb(-0x80000000), [0x80, 0x80, 0x80, 0x80, 0x78]);
});

Deno.test("unsignedLeb() and signedLeb() refuse what 32 bits cannot hold", () => {
  for (const value of [-1, 0x100000000, 0.5, NaN]) {
    assert.throws(() => unsignedLeb(value), RangeError);
  }
  for (const value of [-0x80000001, 0x80000000, 0.5]) {
    assert.throws(() => signedLeb(value), RangeError);
  }
});
