import assert from "node:assert/strict";
import { join } from "node:path";
import { findPackage } from "../../src/server/model_library.ts";
import { inTempFolder } from "../fixtures/temp_folder.ts";
import { configOf } from "../session/world.ts";

/** Makes a model's folder, whose `model.json` holds the text. */
async function makeModel(folder: string, text: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(join(folder, "model.json"), text);
}

function config(model_id: string, model_dir: string | null = null) {
  return configOf({ client: { model_id }, server: { model_dir } });
}

Deno.test("findPackage() finds a model by its id, in the first folder that has it", async () => {
  await inTempFolder(async (root) => {
    const folders = [join(root, "own"), join(root, "built_in")];
    await makeModel(join(root, "built_in", "MLP"), "built in");
    const builtIn = await findPackage(config("MLP"), folders);
    assert.equal(builtIn.id, "MLP");
    assert.equal(new TextDecoder().decode(builtIn.files["model.json"]), "built in");
    await makeModel(join(root, "own", "MLP"), "own");
    const own = await findPackage(config("MLP"), folders);
    assert.equal(new TextDecoder().decode(own.files["model.json"]), "own");
  });
});

Deno.test("findPackage() takes only the last part of model_dir", async () => {
  await inTempFolder(async (root) => {
    await makeModel(join(root, "LeNet5"), "{}");
    for (const dir of ["LeNet5", "./models/LeNet5/", "/etc/LeNet5", "..\\models\\LeNet5"]) {
      const found = await findPackage(config("MLP", dir), [root]);
      assert.deepEqual([found.id, Object.keys(found.files)], ["MLP", ["model.json"]], dir);
    }
  });
});

Deno.test("findPackage() refuses a model_dir that would lead elsewhere", async () => {
  await inTempFolder(async (root) => {
    await makeModel(root, "{}");
    await makeModel(join(root, "models"), "{}");
    for (const dir of ["..", "../", "models/..", ".", "/", ".hidden", "a b", "a\0b", "..\\.."]) {
      await assert.rejects(findPackage(config("MLP", dir), [join(root, "models")]), {
        name: "ModelError",
        message: `Cannot use server_training_config.model_dir "${dir}" as a model's folder`,
      });
    }
  });
});

Deno.test("findPackage() says what to do if no folder has the model", async () => {
  await inTempFolder(async (root) => {
    await Deno.writeTextFile(join(root, "MLP"), "a file is no folder");
    await assert.rejects(findPackage(config("MLP"), [root, `${root}/none`]), {
      name: "ModelError",
      message: 'Cannot find the model "MLP": send its folder with the config ' +
        `(server_training_config.model_dir), or put it into ${root} or ${root}/none on the server`,
    });
  });
});

Deno.test("findPackage() refuses a folder that is no package", async () => {
  await inTempFolder(async (root) => {
    await Deno.mkdir(join(root, "MLP"));
    await Deno.writeTextFile(join(root, "MLP", "model.py"), "");
    await assert.rejects(findPackage(config("MLP"), [root]), {
      name: "ModelError",
      message: /Python \("model\.py"\)/,
    });
  });
});
