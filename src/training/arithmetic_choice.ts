/** Which arithmetic the kernels of this process are compiled for. */
import { detectArithmetic } from "../kernels/arithmetic.ts";
import type { Arithmetic } from "../kernels/mod.ts";

/** "auto": fused where the processor fuses; "portable": the same bytes on every processor. */
export type ArithmeticChoice = "auto" | "portable";

/** The arithmetic that a choice comes to. */
export function arithmeticFor(choice: ArithmeticChoice, detect = detectArithmetic): Arithmetic {
  return choice === "portable" ? "portable" : detect();
}

let choice: ArithmeticChoice = "auto";
let detected: Arithmetic | null = null;

/** Chooses for all kernels that are compiled from now on. */
export function chooseArithmetic(chosen: ArithmeticChoice): void {
  choice = chosen;
}

/** What was chosen, or found at the first call. */
export function chosenArithmetic(): Arithmetic {
  return arithmeticFor(choice, () => detected ??= detectArithmetic());
}
