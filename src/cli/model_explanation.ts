/** The text of `flotilla model explain`. */
import type { ModelExplanation, PlanExplanation } from "../training/explanation.ts";
import { bytesText, countText } from "./quantities.ts";
import { type Column, cut, formatTable } from "./table.ts";

const LAYER_COLUMNS: readonly Column[] = [
  { title: "LAYER" },
  { title: "KIND" },
  { title: "OUTPUT" },
  { title: "PARAMETERS", align: "right" },
  { title: "FLOPS", align: "right" },
];

const CALL_COLUMNS: readonly Column[] = [
  { title: "CALL", align: "right" },
  { title: "OPERATION" },
  { title: "RESULT" },
  { title: "FLOPS", align: "right" },
];

/** Expressions of long chains would push all else off the line. */
const OPERATION_WIDTH = 48;

/**
 * A model explained, in lines.
 *
 * @param listCalls also each kernel call of the plan
 */
export function explanationText(
  model: string,
  explanation: ModelExplanation,
  listCalls: boolean,
): string {
  const { inputShape, layers, parameters, trainableParameters, flops } = explanation;
  const rows = layers.map((layer) => [
    layer.name,
    layer.kind,
    shapeText(layer.outputShape),
    countText(layer.parameters),
    layer.flops === 0 ? "-" : countText(layer.flops),
  ]);
  const fixed = parameters - trainableParameters;
  const lines = [
    `model ${model}: takes items of ${shapeText(inputShape)}`,
    "",
    ...formatTable(LAYER_COLUMNS, rows, Infinity),
    "",
    `parameters    ${countText(parameters)}` +
    (fixed > 0 ? `, ${countText(fixed)} not trained` : ""),
    `weights       ${bytesText(parameters * 4)}`,
    `forward pass  ${flopsText(flops)} for an item`,
    ...planLines(explanation, listCalls),
  ];
  return `${lines.join("\n")}\n`;
}

function planLines(
  { plan, notCompiled, batchSize }: ModelExplanation,
  listCalls: boolean,
): string[] {
  if (plan === null) {
    return [`compiled      no: ${notCompiled}`, "              it trains kernel by kernel, slowly"];
  }
  return [
    `compiled      yes, a step of ${batchSize} items: ${flopsText(plan.flops)}`,
    `plan          ${countText(plan.calls.length)} kernel calls, ${
      bytesText(plan.moduleBytes)
    } of WebAssembly`,
    `memory        ${bytesText(plan.memoryBytes)}: weights, optimizer and all values of a step`,
    ...(listCalls ? ["", ...callLines(plan, batchSize)] : []),
  ];
}

function callLines({ calls }: PlanExplanation, batchSize: number): string[] {
  const rows = calls.map(({ operation, dims, batched, flops }, index) => [
    String(index + 1),
    cut(operation, OPERATION_WIDTH),
    shapeText(batched ? [...dims, batchSize] : dims),
    flops === 0 ? "-" : countText(flops),
  ]);
  return formatTable(CALL_COLUMNS, rows, Infinity);
}

function shapeText(shape: readonly (number | null)[]): string {
  return `[${shape.map((extent) => extent ?? "any").join(", ")}]`;
}

/** `1.23 MFLOP`. */
function flopsText(flops: number): string {
  if (flops < 1e6) return `${(flops / 1e3).toFixed(1)} kFLOP`;
  return flops < 1e9 ? `${(flops / 1e6).toFixed(1)} MFLOP` : `${(flops / 1e9).toFixed(2)} GFLOP`;
}
