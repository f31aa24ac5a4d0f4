/** `flotilla model explain FOLDER`: a model's layers and costs, and the plan that trains it. */
import { basename, resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import { readPackage } from "../config/read_package.ts";
import type { JsonObject } from "../core/json.ts";
import { packageModelArgs } from "../server/model_defaults.ts";
import { createWorkerTrainer } from "../training/worker_trainer.ts";
import { examples } from "./command.ts";
import { jsonOption } from "./flags.ts";
import { explanationText } from "./model_explanation.ts";
import { standardOutput } from "./output.ts";
import { sessionRegistries } from "./session_registries.ts";

interface ExplainFlags {
  readonly batchSize: number;
  readonly args: JsonObject;
  readonly loss: string;
  readonly optimizer: string;
  readonly plan?: boolean;
  readonly json?: boolean;
}

const EXAMPLES = examples(
  "flotilla model explain models/LeNet5",
  "flotilla model explain models/LeNet5 --batch-size 64 --plan",
  `flotilla model explain models/ResNet --args '{"blocks": 5}' --optimizer adam --json`,
);

/** Adds the command `explain`. */
export function define(command: Command): void {
  command.addHelpText("after", EXAMPLES);
  const { losses, optimizers } = sessionRegistries;
  command.command("explain")
    .description("print layers, shapes, parameters, FLOPs, and how a training step is compiled")
    .argument("<folder>", "folder of the model package")
    .option("--batch-size <items>", "items of a training step", batchSize, 32)
    .option("--args <json>", "model_args, each in place of the package's own", jsonObject, {})
    .addOption(new Option("--loss <name>", "loss to train").choices(losses).default(losses[0]))
    .addOption(
      new Option("--optimizer <name>", "optimizer that trains").choices(optimizers)
        .default(optimizers[0]),
    )
    .option("--plan", "list each kernel call of a training step")
    .addOption(jsonOption())
    .addHelpText("after", EXAMPLES)
    .action(explain);
}

async function explain(
  folder: string,
  { batchSize, args, loss, optimizer, plan = false, json = false }: ExplainFlags,
): Promise<void> {
  const modelPackage = await readPackage(folder, basename(resolve(folder)));
  const trainer = createWorkerTrainer();
  try {
    const explanation = await trainer.explain({
      modelPackage,
      args: { ...packageModelArgs(modelPackage), ...args },
      ...{ batchSize, loss, optimizer },
    });
    standardOutput.write(
      json
        ? `${JSON.stringify({ model: modelPackage.id, ...explanation })}\n`
        : explanationText(modelPackage.id, explanation, plan),
    );
  } finally {
    trainer.close();
  }
}

function batchSize(text: string): number {
  const size = Number(text);
  if (Number.isInteger(size) && size >= 1) return size;
  throw new InvalidArgumentError("It must be a whole number of at least 1.");
}

function jsonObject(text: string): JsonObject {
  try {
    const value = JSON.parse(text);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value;
  } catch {
    // Told below, as for any other text.
  }
  throw new InvalidArgumentError(`It must be a JSON object, such as '{"num_classes": 10}'.`);
}
