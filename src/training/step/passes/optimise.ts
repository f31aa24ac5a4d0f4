/** All passes in their order. */
import { GraphBuilder, type StepGraph } from "../graph.ts";
import { finishProducts } from "./finish_products.ts";
import { fuseMaps } from "./fuse_maps.ts";
import { reluSigns } from "./relu_signs.ts";
import type { Pass } from "./rewrite.ts";

const PASSES: readonly Pass[] = [reluSigns, fuseMaps, finishProducts];

/** @param padded there are lanes behind the last sample */
export function optimise(graph: StepGraph, padded: boolean): StepGraph {
  return PASSES.reduce((current, pass) => pass(current, new GraphBuilder(padded)), graph);
}
