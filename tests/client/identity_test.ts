import assert from "node:assert/strict";
import { join } from "node:path";
import { parse } from "yaml";
import { FileAccessError } from "../../src/core/errors.ts";
import { IDENTITY_FILE, loadIdentity } from "../../src/client/identity.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";

const ID = "0b1c2d3e-4f50-4a61-8b72-9c83ad94be05";
const never = () => assert.fail("a new id was asked for");

Deno.test("loadIdentity() makes an id once and keeps it, in a folder that it makes", async () => {
  await inTempFolder(async (root) => {
    const folder = join(root, "temp_1");
    assert.equal(await loadIdentity(folder, () => ID), ID);
    assert.equal(await loadIdentity(folder, never), ID);
    const written = parse(await Deno.readTextFile(join(folder, IDENTITY_FILE)));
    assert.deepEqual(written, { client_id: ID, benchmark_info: {} });
  });
});

Deno.test("loadIdentity() makes random UUIDs that it accepts again", async () => {
  await inTempFolder(async (root) => {
    const [one, two] = [await loadIdentity(join(root, "1")), await loadIdentity(join(root, "2"))];
    assert.notEqual(one, two);
    assert.equal(await loadIdentity(join(root, "1"), never), one);
  });
});

Deno.test("loadIdentity() reads a file that the original has written", async () => {
  await inTempFolder(async (root) => {
    const text = `benchmark_info:\n  LeNet5: {MNIST: 0.5}\nclient_id: ${ID}\n`;
    await Deno.writeTextFile(join(root, IDENTITY_FILE), text);
    assert.equal(await loadIdentity(root, never), ID);
  });
});

Deno.test("loadIdentity() refuses a file without a UUID, says what to do and leaves it", async () => {
  await inTempFolder(async (root) => {
    const path = join(root, IDENTITY_FILE);
    const wrong = ["", "client_id:", "client_id: 5", "client_id: me", "[1]", "a: {", "x", "\0"];
    for (const text of [...wrong, `client_id: ${ID}0`, `client_id: ../${ID}`]) {
      await Deno.writeTextFile(path, text);
      await assert.rejects(loadIdentity(root, never), {
        name: "FileAccessError",
        message:
          `Cannot read ${path}: client_id is not a UUID; delete the file to begin as a new client`,
      }, JSON.stringify(text));
      assert.equal(await Deno.readTextFile(path), text);
    }
  });
});

Deno.test("loadIdentity() names the path that cannot be read or written", async () => {
  await inTempFolder(async (root) => {
    await Deno.writeTextFile(join(root, "file"), "");
    await Deno.mkdir(join(root, "folder", IDENTITY_FILE), { recursive: true });
    for (const folder of [join(root, "file"), join(root, "folder")]) {
      await assert.rejects(loadIdentity(folder), (error) => {
        assert.ok(error instanceof FileAccessError);
        assert.ok(error.message.includes(folder), error.message);
        return true;
      });
    }
  });
});
