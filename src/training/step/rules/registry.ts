/** All rules by the name of the kernel. */
import { elementwiseRules } from "./elementwise.ts";
import { matrixRules } from "./matrices.ts";
import { reductionRules } from "./reductions.ts";
import type { Rules } from "./rule.ts";
import { shapeRules } from "./shapes.ts";
import { windowRules } from "./windows.ts";

export const RULES: Rules = {
  ...elementwiseRules,
  ...shapeRules,
  ...reductionRules,
  ...matrixRules,
  ...windowRules,
};
