/**
 * From a package's files to a model: a `model.json` with a layers topology, or a `model.js` or
 * `model.ts` whose default export builds it. Code runs here, so only inside the worker.
 */
import type { LayersModel } from "@tensorflow/tfjs-layers";
import { messageOf, ModelError } from "../core/errors.ts";
import type { ModelPackage } from "../core/model_package.ts";
import { tf } from "./backend.ts";
import { firstImport } from "./closed_code.ts";
import { endableLoops } from "./endable_loops.ts";
import type { ModelFunction } from "./model_api.ts";
import { seedMathRandom } from "./seeded_random.ts";
import type { ModelSource } from "./trainer.ts";

const MODEL_FILES = ["model.json", "model.js", "model.ts"] as const;

/**
 * Builds a model; its weights are initial ones that `seed` decides.
 *
 * @throws {ModelError} naming package, file and reason
 */
export async function buildModel(source: ModelSource, seed: number): Promise<LayersModel> {
  const { modelPackage, args, isPlain = false } = source;
  const file = modelFile(modelPackage);
  const label = `${modelPackage.id}/${file}`;
  const text = new TextDecoder().decode(modelPackage.files[file]);
  const model = file === "model.json" ? await fromTopology(text, label, seed) : await fromCode(
    file === "model.ts" && !isPlain ? await withoutTypes(text, label) : text,
    label,
    args,
    seed,
  );
  const inputs = model.inputs?.length ?? 0;
  if (inputs === 0) {
    throw new ModelError(
      `Cannot use the model of ${label} as its input shape is open: give its first layer inputShape`,
    );
  }
  if (!model.built) model.build(model.inputs[0]!.shape);
  if (inputs !== 1 || model.outputs.length !== 1) {
    throw new ModelError(
      `Cannot use the model of ${label} with ${inputs} inputs and ` +
        `${model.outputs.length} outputs: one of each is needed`,
    );
  }
  return model;
}

/** The package's model file. */
function modelFile({ id, files }: ModelPackage): string {
  const present = MODEL_FILES.filter((name) => files[name] !== undefined);
  if (present.length > 1) {
    throw new ModelError(
      `Cannot use model package ${id} as it has ${present.join(" and ")}: keep one of them`,
    );
  }
  if (present[0] !== undefined) return present[0];
  const python = Object.keys(files).find((path) => path.endsWith(".py"));
  throw new ModelError(
    python === undefined
      ? `Cannot use model package ${id} as it has none of ${MODEL_FILES.join(", ")}`
      : `Cannot use model package ${id} as ${python} is Python: write the model as model.ts ` +
        `(export default function model({ tf }, args) that returns a tf.LayersModel) ` +
        `or save its topology as model.json`,
  );
}

async function withoutTypes(text: string, label: string): Promise<string> {
  const { stripTypes } = await import("./strip_types.ts");
  return await stripTypes(text, label);
}

async function fromTopology(text: string, label: string, seed: number): Promise<LayersModel> {
  try {
    const json = JSON.parse(text);
    const modelTopology = json.modelTopology ?? json;
    seedMathRandom(seed);
    return await tf.loadLayersModel(tf.io.fromMemory({ modelTopology }));
  } catch (error) {
    throw new ModelError(`Cannot build a model of ${label}: ${messageOf(error)}`);
  }
}

async function fromCode(
  code: string,
  label: string,
  args: ModelSource["args"],
  seed: number,
): Promise<LayersModel> {
  let build: ModelFunction | undefined;
  let model: LayersModel;
  let statement: string | null;
  try {
    statement = await importOf(code);
    if (statement === null) build = (await load(await endableLoops(code))).default;
  } catch (error) {
    throw new ModelError(`Cannot load ${label}: ${plainReason(error)}`);
  }
  if (statement !== null) {
    throw new ModelError(
      `Cannot use ${label} as it imports (${statement}): a model may import nothing but types, ` +
        `and gets tf and seed as its function's first argument`,
    );
  }
  if (typeof build !== "function") {
    throw new ModelError(
      `Cannot use ${label} as its default export is ${kindOf(build)}: ` +
        `export default function model({ tf }, args) is needed`,
    );
  }
  try {
    seedMathRandom(seed);
    model = await build({ tf, seed }, args);
  } catch (error) {
    throw new ModelError(`Cannot build the model of ${label}: ${plainReason(error)}`);
  }
  if (!(model instanceof tf.LayersModel)) {
    throw new ModelError(
      `Cannot use ${label} as its function returned ${kindOf(model)}: a tf.LayersModel is needed`,
    );
  }
  return model;
}

/** A data: URL works in a compiled executable too, where outside modules cannot be transpiled. */
async function load(code: string): Promise<{ readonly default: ModelFunction }> {
  return await import(`data:text/javascript,${encodeURIComponent(code)}`);
}

/** @throws {SyntaxError} the code is no module */
async function importOf(code: string): Promise<string | null> {
  try {
    return await firstImport(code);
  } catch {
    // The runtime says better what is wrong. This end is wrong anywhere, so nothing runs.
    await load(`${code}\n;\n#`);
    throw new SyntaxError("it is no JavaScript");
  }
}

/** A reason without the module's whole text, which stack lines and import errors quote as a URL. */
function plainReason(error: unknown): string {
  return messageOf(error).replaceAll(/data:text\/javascript,\S*/g, "the model").slice(0, 500);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? "an object" : typeof value;
}
