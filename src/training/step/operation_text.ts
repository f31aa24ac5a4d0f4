/** Kernels of a step in words, for people. */
import type { Kernel } from "../../kernels/mod.ts";
import { expressionText } from "./expression.ts";
import type { Value } from "./graph.ts";

const PARTS = {
  forward: "forward",
  inputGradient: "input gradient",
  weightGradient: "weight gradient",
};

/** What a kernel does for a value, such as "conv2d forward + bias, relu". */
export function operationText({ operation }: Value, { params, flops }: Kernel): string {
  if (operation.kind === "map") return expressionText(operation.expression);
  const words: string[] = [operation.kind];
  if ("take" in operation) words.push(operation.take);
  if ("part" in operation) {
    words.push(PARTS[operation.part]);
    // The product over samples of a dense layer needs one factor turned before.
    if (flops === 0) words.push("transpose");
    const more = Object.entries(operation.finish).flatMap(([name, used]) => used ? [name] : []);
    // A kernel with a factor adds its result, times minus the learning rate, to the weight.
    if (params.includes("scale")) more.push("update");
    if (more.length > 0) words.push(`+ ${more.join(", ")}`);
  }
  return words.join(" ");
}
