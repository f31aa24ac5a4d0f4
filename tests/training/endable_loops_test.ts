/** Loops of a user's code: the same results, and an end when it is asked for. */
import assert from "node:assert/strict";
import { endableLoops, endLoopsBy } from "../../src/training/endable_loops.ts";

/** Runs code whose default export is a function, with its loops made endable. */
async function result(code: string): Promise<unknown> {
  const text = await endableLoops(code);
  assert.equal(text.split("\n").length, code.split("\n").length, "lines keep their numbers");
  return (await import(`data:text/javascript,${encodeURIComponent(text)}`)).default();
}

const LOOPS = `
export default function f() {
  const out = [];
  for (let i = 0; i < 3; i++) out.push(i);
  for (const x of ["a", "b"]) { if (x === "b") continue; out.push(x); }
  for (const key in { k: 1 }) for (const y of [1, 2]) out.push(key + y);
  let n = 0;
  while (n < 2) n++;
  do n += 10; while (n < 25);
  outer: for (;;) { for (;;) { if (n++ > 40) break outer; else continue outer; } }
  for (;n < 50; n++);
  out.push(n, "for (;;);", \`while (\${n})\`);
  return out;
}`;

Deno.test("endableLoops() changes nothing that loops of any kind do", async () => {
  endLoopsBy(new Int32Array(new SharedArrayBuffer(4)));
  assert.deepEqual(
    await result(LOOPS),
    [0, 1, 2, "a", "k1", "k2", 50, "for (;;);", "while (50)"],
  );
});

Deno.test("endableLoops() sees a loop however it is spaced", async () => {
  const loops = ["for(;;);", "for /* ever */ (;;);", "for // ever\n(;;);", "while\n(true);"];
  for (const loop of [...loops, "for await(const x of y);", "do{}while(true);"]) {
    const code = `export default async (y) => { ${loop} }`;
    assert.notEqual(await endableLoops(code), code, loop);
  }
});

Deno.test("endableLoops() leaves code without loops, and what is no code, as it is", async () => {
  for (const code of ["export default () => 1;", "for (;; {"]) {
    assert.equal(await endableLoops(code), code);
  }
});

const ENDLESS = {
  "for": "for (;;) turn();",
  "while": "while (true) { try { while (true) turn(); } catch { turn(); } }",
  "do": "do turn(); while (true);",
  "for-of": "for (const _ of (function* () { for (;;) yield 1; })()) turn();",
};

for (const [kind, loop] of Object.entries(ENDLESS)) {
  Deno.test(`endLoopsBy() ends a worker's endless loop: ${kind}`, async () => {
    const ended = new Int32Array(new SharedArrayBuffer(4));
    const turns = new Int32Array(new SharedArrayBuffer(4));
    const module = new URL("../../src/training/endable_loops.ts", import.meta.url).href;
    const code = `
      const turn = () => Atomics.add(globalThis.turns, 0, 1);
      export default () => { ${loop} };`;
    const worker = new Worker(
      `data:text/javascript,${
        encodeURIComponent(`
          import { endableLoops, endLoopsBy } from "${module}";
          self.onmessage = async ({ data: { ended, turns, code } }) => {
            globalThis.turns = turns;
            endLoopsBy(ended);
            const text = await endableLoops(code);
            const { default: run } = await import("data:text/javascript," + encodeURIComponent(text));
            try { run(); } catch (error) { self.postMessage(error.message); }
          };`)
      }`,
      { type: "module" },
    );
    try {
      const { promise: stopped, resolve } = Promise.withResolvers<string>();
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage({ ended, turns, code });
      const deadline = performance.now() + 20_000;
      while (Atomics.load(turns, 0) === 0) {
        assert.ok(performance.now() < deadline, "the loop never began");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      Atomics.store(ended, 0, 1);
      assert.equal(await stopped, "The code has been ended");
    } finally {
      worker.terminate();
    }
  });
}
