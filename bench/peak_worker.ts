/** Says that it has started, then for each number of milliseconds how many calls of the peak it did. */
import { detectArithmetic, ModuleBuilder } from "../src/kernels/mod.ts";
import { addPeak } from "./peak.ts";

/** The engine improves a function while it is called. */
const WARM_MS = 100;

const module = new ModuleBuilder({ arithmetic: detectArithmetic() });
addPeak(module);
const memory = new WebAssembly.Memory({ initial: 1 });
const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
  env: { memory },
});
const call = exports["peak"] as () => void;

function callsWithin(ms: number): number {
  const end = performance.now() + ms;
  let calls = 0;
  for (; performance.now() < end; calls++) call();
  return calls;
}

const scope = self as unknown as Pick<Worker, "postMessage" | "onmessage">;
scope.onmessage = ({ data: ms }) => scope.postMessage(callsWithin(ms));
callsWithin(WARM_MS);
scope.postMessage(0);
