/** Each layer that tfjs has: compiled as tfjs trains it, or known not to be. */
import assert from "node:assert/strict";
import * as tfjsLayers from "@tensorflow/tfjs-layers";
import { NotRecordable } from "../../../src/training/step/not_recordable.ts";
import { compareTraining } from "./compare_training.ts";
import { EVERY_LAYER, NOT_COMPILED } from "./every_layer.ts";
import { describeSeeded } from "./sample_models.ts";

/** Names of tfjs's `layers` that are no layers of a model here, by the reason. */
const OTHERS: Readonly<Record<string, readonly string[]>> = {
  "other names of layers": [
    ...["avgPool1d", "avgPool2d", "avgPool3d", "avgPooling1d", "avgPooling2d", "avgPooling3d"],
    ...["globalMaxPool1d", "globalMaxPool2d", "maxPool1d", "maxPool2d"],
  ],
  "parts of layers": [
    ...["Layer", "RNN", "RNNCell", "convLstm2dCell", "gruCell", "lstmCell", "simpleRNNCell"],
    ...["stackedRNNCells", "input", "inputLayer"],
  ],
  "prepare items in ways that have no gradient": ["categoryEncoding", "randomWidth"],
  "takes no tensor in tfjs itself, which resizes the list of its inputs": ["resizing"],
};

Deno.test("the tests of layers leave none out that tfjs has", () => {
  const tested = [...Object.keys(EVERY_LAYER), ...Object.values(OTHERS).flat()];
  assert.deepEqual(tested.sort(), Object.keys(tfjsLayers.layers).sort());
});

for (const [name, make] of Object.entries(EVERY_LAYER)) {
  const reason = NOT_COMPILED[name];
  if (reason === undefined) {
    Deno.test(`layer ${name} trains compiled as in tfjs`, () => {
      const built = describeSeeded(make);
      for (const samples of [1, 5, 8]) {
        const { lossDifference, weightDifference } = compareTraining(built, { samples, steps: 4 });
        assert.ok(lossDifference < 1e-5, `losses differ by ${lossDifference} with ${samples}`);
        assert.ok(weightDifference < 1e-5, `weights differ by ${weightDifference}`);
      }
    });
  } else {
    Deno.test(`layer ${name} is left to tfjs, with the reason`, () => {
      const built = describeSeeded(make);
      assert.throws(
        () => compareTraining(built, { steps: 1 }),
        (error) => error instanceof NotRecordable && reason.test(error.reason),
      );
    });
  }
}
