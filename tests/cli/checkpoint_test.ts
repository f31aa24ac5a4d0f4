/** What `flotilla checkpoint inspect` says of quality. */
import assert from "node:assert/strict";
import { lastMeasured, validationText } from "../../src/cli/checkpoint.ts";

const GOOD = { accuracy: 0.75, loss: 0.5, samples: 8 };

Deno.test("lastMeasured() finds the last round that was evaluated, if any was", () => {
  const rounds = [
    { round: 1, validation: null },
    { round: 2, validation: GOOD },
    { round: 3, validation: null },
  ];
  assert.deepEqual(lastMeasured(rounds), { round: 2, validation: GOOD });
  assert.equal(lastMeasured(rounds.slice(0, 1)), null);
});

Deno.test("validationText() says of which round the quality is, unless it is the checkpoint's own", () => {
  const measured = { round: 3, validation: GOOD };
  assert.equal(validationText(measured, 3), "accuracy 75.00 %, loss 0.5000");
  assert.equal(
    validationText(measured, 4),
    "accuracy 75.00 %, loss 0.5000 after round 3; round 4 had not been measured when this was written",
  );
});
