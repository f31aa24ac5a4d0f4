/** Which arithmetic the kernels of this process are compiled for. */
import { detectArithmetic } from "../kernels/arithmetic.ts";
import type { Arithmetic } from "../kernels/mod.ts";
import { type ArithmeticChoice, arithmeticChoice } from "./arithmetic_choice.ts";

let detected: Arithmetic | null = null;

/** The arithmetic that a choice comes to. */
export function arithmeticFor(choice: ArithmeticChoice, detect = detectArithmetic): Arithmetic {
  return choice === "portable" ? "portable" : detect();
}

/** What was chosen, or found at the first call. */
export function chosenArithmetic(): Arithmetic {
  return arithmeticFor(arithmeticChoice(), () => detected ??= detectArithmetic());
}
