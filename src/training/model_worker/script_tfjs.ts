/**
 * Gives the model worker tfjs as a page has it: layers and kernels as scripts that find core among
 * the global names. As npm's modules they ask for core's CommonJS file, for which the runtime starts
 * its Node layer.
 */
import "./without_node.ts";
// @ts-types="@tensorflow/tfjs-core"
import * as core from "@tensorflow/tfjs-core/minified";
import layersScript from "@tensorflow/tfjs-layers/script" with { type: "text" };
import { given, type Tfjs } from "../given_tfjs.ts";

const scope = globalThis as Record<string, unknown>;
// Kept, as it is taken away before the code of models runs. Called by another name it sees only what
// is global.
const evaluate = eval;

/** Runs a script that adds its own names to those in `tf`. */
function add<T>(names: Record<string, unknown>, script: string): T {
  scope["tf"] = names;
  try {
    evaluate(script);
  } finally {
    delete scope["tf"];
  }
  return names as T;
}

async function loadCpu(): ReturnType<Tfjs["loadCpu"]> {
  const scripts = await import("./cpu_scripts.ts");
  evaluate(scripts.alea);
  scope["seedrandom"] = { alea: scope["alea"] };
  try {
    return add({ ...core }, scripts.cpu);
  } finally {
    delete scope["seedrandom"];
    delete scope["alea"];
  }
}

given.tfjs = { core, layers: add({ ...core }, layersScript), loadCpu };
