/** What keeps processes small is set wherever one is started for a user. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { MALLOC_ENV, projectRoot, V8_FLAGS } from "../../tools/project.ts";

const SETTINGS = Object.entries(MALLOC_ENV).map(([name, value]) => `${name}=${value}`).join(" ");

function read(path: string): string {
  return readFileSync(`${projectRoot}/${path}`, "utf8");
}

Deno.test("the task flotilla runs with the settings that tests and benchmarks use", () => {
  const { tasks } = JSON.parse(read("deno.json"));
  assert.equal(tasks.flotilla, `${SETTINGS} deno run -q -A ${V8_FLAGS} main.ts`);
});

Deno.test("the image and the unit set how the C library keeps memory", () => {
  assert.ok(read("Dockerfile").includes(`\nENV ${SETTINGS}\n`));
  assert.ok(read("deploy/flotilla-server.service").includes(`\nEnvironment=${SETTINGS}\n`));
});
