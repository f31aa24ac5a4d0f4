/** That a strategy looks at every argument that the original's config gives it. */
import assert from "node:assert/strict";
import { sessionRegistries } from "../../src/cli/session_registries.ts";
import { parseSessionConfig } from "../../src/config/parse_session.ts";
import { runSession } from "../../src/session/engine.ts";
import { configOf, createWorld, SumClient } from "./world.ts";

const EXAMPLES = new URL("../../examples/strategies/", import.meta.url);

/** Arguments that note which of them were looked at. */
function noting<Args extends object>(args: Args, seen: Set<string>): Args {
  return new Proxy(args, {
    get(target, key) {
      seen.add(String(key));
      return Reflect.get(target, key);
    },
    has(target, key) {
      seen.add(String(key));
      return Reflect.has(target, key);
    },
  });
}

/** A strategy whose functions, wherever they take the arguments, are given noting ones. */
function watched<Strategy extends object>(
  strategy: Strategy,
  args: object,
  noted: object,
): Strategy {
  const entries = Object.entries(strategy).map(([name, part]) => [
    name,
    typeof part !== "function" || name === "args"
      ? part
      : (...given: unknown[]) => part(...given.map((value) => value === args ? noted : value)),
  ]);
  return Object.fromEntries(entries) as Strategy;
}

for (const { name } of Deno.readDirSync(EXAMPLES)) {
  Deno.test(`${name}: every argument of its strategies is looked at`, async () => {
    const text = await Deno.readTextFile(new URL(name, EXAMPLES));
    const { session_config: { aggregator, client_selection, ...args } } = parseSessionConfig(
      text,
      name,
      sessionRegistries,
    );
    const config = configOf({
      session: { aggregator, client_selection, ...args, min_clients: 6 },
      server: { num_training_rounds: 4 },
      benchmark: { bench_minibatch_count: 1 },
    });
    const clients = "abcdef".split("").map((id) => new SumClient(id, `client_${id}`, 10, 1));
    const { context, model, journal } = await createWorld({ config, clients });
    const { aggregator_args: ofMean, client_selection_args: ofDraw } =
      journal.state.config.session_config;
    const seen = new Set<string>();
    const state = await runSession(
      {
        ...context,
        selector: watched(context.selector, ofDraw, noting(ofDraw, seen)),
        aggregator: watched(context.aggregator, ofMean, noting(ofMean, seen)),
      },
      () => Promise.resolve(model),
      new AbortController().signal,
    );
    assert.equal(state.status, "finished");
    const written = [...Object.keys(args.aggregator_args), ...Object.keys(ofDraw)]
      // Of another staleness than the config's.
      .filter((key) => !key.startsWith("hinge_"));
    assert.deepEqual(written.filter((key) => !seen.has(key)), []);
  });
}
