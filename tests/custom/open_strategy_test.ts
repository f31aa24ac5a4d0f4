/** Strategies of users in their worker: what they can do, and what becomes of their misdeeds. */
import assert from "node:assert/strict";
import { untilWorkers } from "../fixtures/worker_threads.ts";
import { ConfigError, SessionFailedError } from "../../src/core/errors.ts";
import { seeded } from "../../src/core/prng.ts";
import { openStrategy } from "../../src/custom/open_strategy.ts";
import { STRATEGIES, STRATEGY_TYPES, TYPES_FILE } from "../../src/custom/template.ts";
import { candidates, viewOf } from "../selection/candidates.ts";
import { aggregated, updateOf } from "../aggregation/updates.ts";

/** Of calls that must miss it: longer than a worker takes to start on a busy machine. */
const LIMIT_MS = 4000;

const given = [
  { samples: 100, values: new Float32Array([1, -2]) },
  { samples: 300, values: new Float32Array([5, 2]) },
];

/** Opens an aggregator of this code and has it aggregate once. */
async function aggregateWith(code: string, file = "own.js", callLimitMs = 10_000) {
  const strategy = openStrategy(file, code, { callLimitMs });
  try {
    await strategy.check("aggregator");
    return [
      ...await aggregated(strategy.aggregator(), given, { global: new Float32Array([7, 8]) }),
    ];
  } finally {
    strategy.close();
  }
}

async function selectWith(code: string, file = "own.js") {
  const strategy = openStrategy(file, code, { callLimitMs: 10_000 });
  try {
    await strategy.check("client_selection");
    return await strategy.selector().select(viewOf(candidates(4)), {}, { clients: 3 }, seeded(5));
  } finally {
    strategy.close();
  }
}

Deno.test("openStrategy() runs the aggregator that is written to start from", async () => {
  assert.deepEqual(await aggregateWith(STRATEGIES.aggregator, "own.ts"), [4, 1]);
});

Deno.test("openStrategy() runs the selection that is written to start from, by the run's seed", async () => {
  const first = await selectWith(STRATEGIES.client_selection, "own.ts");
  assert.equal(new Set(first.train).size, 3);
  assert.deepEqual(await selectWith(STRATEGIES.client_selection, "own.ts"), first);
});

Deno.test("openStrategy() takes weights that are returned, and keeps a state", async () => {
  const code = "export const aggregate = ({ global }) => global.values.map((one) => one + 1);";
  assert.deepEqual(await aggregateWith(code), [8, 9]);
});

Deno.test("openStrategy() gives a strategy what it has kept", async () => {
  const strategy = openStrategy(
    "own.js",
    `export async function aggregate({ kept, readKept, keep, read, updates }, args, result) {
      if (kept.length > 0) result.set(await readKept("first", 0, 2));
      else await keep("first", await read(updates[1], 0, 2));
      return { n: kept.length };
    }`,
  );
  await strategy.check("aggregator");
  const memory = { state: null, kept: new Map<string, Float32Array>() };
  assert.deepEqual([...await aggregated(strategy.aggregator(), given, { memory })], [0, 0]);
  assert.deepEqual([...await aggregated(strategy.aggregator(), given, { memory })], [5, 2]);
  assert.deepEqual(memory.state, { n: 1 });
  strategy.close();
});

Deno.test("openStrategy() refuses a file that is no strategy of its kind", async () => {
  const refused: [string, RegExp][] = [
    ["export const x = 1;", /^own\.js session_config\.aggregator exports no function aggregate: /],
    ["export function (", /^own\.js session_config\.aggregator cannot be loaded: /],
    ["throw new Error('no mood');", /cannot be loaded: no mood$/],
    ["import 'npm:left-pad';", /may import nothing but types: import 'npm:left-pad'$/],
    ["const x = import('npm:left-pad');", /may import nothing but types/],
    ["export * from 'node:fs';", /may import nothing but types/],
    ["eval('import(\"npm:left-pad\")');", /may not make code of text$/],
    ["new (async () => {}).constructor('');", /may not make code of text$/],
    ["setTimeout('1', 1);", /may not make code of text$/],
    ["new Worker('data:text/javascript,');", /may not make code of text$/],
    ["while (true);", /cannot be loaded: it takes over 4 s$/],
  ];
  for (const [code, message] of refused) {
    await assert.rejects(aggregateWith(code, "own.js", LIMIT_MS), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("openStrategy() says what an aggregator did wrong", async () => {
  const refused: [string, RegExp][] = [
    ["throw new Error('lost');", /^Cannot use aggregate\(\) of the strategy own\.js: lost$/],
    ["result.fill(NaN);", /what aggregate\(\) of the strategy own\.js gives: weight 0 is NaN$/],
    ["return new Float32Array(3);", /it gives 3 weights where the model has 2$/],
    ["return 7;", /its state is no object$/],
    ["return { n: NaN };", /its state holds what JSON cannot, such as NaN$/],
    ["return new Promise(() => {});", /it takes over 4 s$/],
    ["for (;;);", /it takes over 4 s$/],
    ["await input.keep('a', new Float32Array(9));", /keep\(\) .* it gives 9 weights where/],
    ["Deno.readTextFileSync('/etc/passwd');", /they run without files and network: /],
    ["await fetch('http://127.0.0.1:12345/');", /they run without files and network: /],
    ["Deno.env.get('HOME');", /they run without files and network: /],
  ];
  for (const [body, message] of refused) {
    const code = `export async function aggregate(input, args, result) { ${body} }`;
    await assert.rejects(aggregateWith(code, "own.js", LIMIT_MS), (error) => {
      assert.ok(error instanceof SessionFailedError, `${body}: ${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("openStrategy() says what a selection did wrong", async () => {
  const refused: [string, RegExp][] = [
    ["return { train: ['nobody'], state };", /"nobody" is the id of no candidate$/],
    ["return { train: ['uuid-1', 'uuid-1'], state };", /it names a client twice$/],
    ["return {};", /it returns no list of client ids$/],
    ["", /it returns no list of client ids$/],
    ["throw new TypeError('x');", /^Cannot use select\(\) of the strategy own\.js: x$/],
  ];
  for (const [body, message] of refused) {
    const code = `export function select(view, state) { ${body} }`;
    await assert.rejects(selectWith(code), (error) => {
      assert.ok(error instanceof SessionFailedError, `${body}: ${error}`);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("openStrategy() goes on after a call that did not end", async () => {
  const strategy = openStrategy(
    "own.js",
    `export function select({ round, candidates: [{ id }] }, state) {
      while (round === 1);
      return { train: [id], state };
    }`,
    { callLimitMs: LIMIT_MS },
  );
  await strategy.check("client_selection");
  const ask = async (round: number) =>
    await strategy.selector().select(viewOf(candidates(2), { round }), {}, {}, seeded(1));
  await assert.rejects(ask(1), /it takes over 4 s/);
  assert.deepEqual((await ask(2)).train, ["uuid-1"]);
  strategy.close();
  if (Deno.build.os === "linux") await untilWorkers(0, "busy");
});

Deno.test("openStrategy() waits for everybody unless the strategy says otherwise", async () => {
  const strategy = openStrategy("own.js", "export const aggregate = () => {};");
  await strategy.check("aggregator");
  const { ready } = strategy.aggregator();
  const updates = [updateOf(1, 1)];
  assert.equal(await ready({ inFlight: [updateOf(2, 1)], updates, failures: 0 }, {}), null);
  assert.deepEqual(await ready({ inFlight: [], updates, failures: 0 }, {}), updates);
  strategy.close();
});

Deno.test("the types that are written for strategies are those of the contract", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/${TYPES_FILE}`, STRATEGY_TYPES);
    for (const [kind, code] of Object.entries(STRATEGIES)) {
      await Deno.writeTextFile(`${folder}/${kind}.ts`, code);
    }
    const source = new URL("../../src/", import.meta.url).href;
    await Deno.writeTextFile(
      `${folder}/same.ts`,
      `import type * as own from "./${TYPES_FILE}";
import type * as aggregation from "${source}aggregation/aggregator.ts";
import type * as selection from "${source}selection/selector.ts";
import type { JsonObject } from "${source}core/json.ts";
import * as aggregator from "./aggregator.ts";
import * as selector from "./client_selection.ts";
export function takes(
  input: aggregation.AggregationInput<JsonObject>,
  standing: aggregation.RoundStanding,
  view: selection.SelectionView,
  chosen: own.Selection,
): [own.AggregationInput, own.RoundStanding, own.SelectionView, selection.Selection<JsonObject>] {
  return [input, standing, view, chosen];
}
export const aggregates: aggregation.Aggregator<JsonObject, JsonObject>["aggregate"] =
  aggregator.aggregate;
export const selects: selection.Selector<JsonObject, JsonObject>["select"] = selector.select;
`,
    );
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "check",
        "-q",
        "--config",
        new URL("../../deno.json", import.meta.url).pathname,
        `${folder}/same.ts`,
      ],
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
