/** The configs in the documentation of strategies are valid, and no strategy is left out. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { sessionRegistries } from "../../src/cli/session_registries.ts";
import { sessionConfigFrom } from "../../src/config/parse_session.ts";

const DOCS = new URL("../../docs/strategies.md", import.meta.url);
const FEATURES = new URL("../../FEATURES.md", import.meta.url);

const { aggregators, selectors } = sessionRegistries;
const NAMES = [...Object.keys(aggregators), ...Object.keys(selectors)];

Deno.test("docs/strategies.md has valid configs only, and one for each strategy", async () => {
  const text = await Deno.readTextFile(DOCS);
  const blocks = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml]) => parse(yaml!));
  const used = new Set<string>();
  for (const block of blocks) {
    const { session_config: { aggregator, client_selection } } = sessionConfigFrom(
      {
        ...block,
        server_training_config: { num_training_rounds: 1, ...block.server_training_config },
        client_training_config: { model_id: "M", dataset: "D", ...block.client_training_config },
      },
      "docs/strategies.md",
      sessionRegistries,
    );
    used.add(aggregator).add(client_selection);
  }
  // Names of one strategy stand beside each other in the text.
  const missing = NAMES.filter((name) => !used.has(name) && !text.includes(name));
  assert.deepEqual(missing.filter((name) => name !== "haccs_lite_deprecated"), []);
});

Deno.test("FEATURES.md has a row that begins with each strategy", async () => {
  const rows = (await Deno.readTextFile(FEATURES)).split("\n").filter((line) => line[0] === "|");
  const titles = rows.map((row) => row.split("|")[1]!);
  const missing = NAMES.filter((name) => !titles.some((title) => title.includes(`\`${name}\``)));
  assert.deepEqual(missing, []);
});
