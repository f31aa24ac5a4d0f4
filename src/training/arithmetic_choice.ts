/** Which arithmetic kernels shall be compiled for; what that is here, `chosen_arithmetic.ts` finds. */

/** "auto": fused where the processor fuses; "portable": the same bytes on every processor. */
export type ArithmeticChoice = "auto" | "portable";

let choice: ArithmeticChoice = "auto";

/** Chooses for all kernels that are compiled from now on. */
export function chooseArithmetic(chosen: ArithmeticChoice): void {
  choice = chosen;
}

/** What was chosen last. */
export function arithmeticChoice(): ArithmeticChoice {
  return choice;
}
