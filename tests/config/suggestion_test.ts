/** Suggestions for misspelt names. */
import assert from "node:assert/strict";
import { nearest, suggestion } from "../../src/config/suggestion.ts";

Deno.test("nearest() finds transposed, missing, doubled and differently cased letters", () => {
  const known = ["fedavg", "fedasync", "haccs"];
  for (const wrong of ["fedagv", "fedvg", "feddavg", "FedAvg"]) {
    assert.equal(nearest(wrong, known), "fedavg");
  }
  assert.equal(nearest("batch-size", ["epochs", "batch_size"]), "batch_size");
});

Deno.test("nearest() finds nothing where nothing is near", () => {
  assert.equal(nearest("krum", ["fedavg", "haccs"]), null);
  assert.equal(nearest("x", ["mu", "rho"]), null);
  assert.equal(nearest("fedavg".repeat(100), ["fedavg"]), null);
  assert.equal(nearest("fedavg", []), null);
});

Deno.test("suggestion() ends a message with what was meant and what is known", () => {
  assert.equal(suggestion("sdg", ["sgd", "adam"]), '; did you mean "sgd"? Known: sgd, adam');
  assert.equal(suggestion("lion", ["sgd", "adam"]), ". Known: sgd, adam");
});
