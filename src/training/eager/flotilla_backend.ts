/**
 * A backend of tfjs, "flotilla": tensors live in plain arrays as in its cpu backend, whose kernels
 * it takes, and what costs most in training runs in compiled kernels.
 */
import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type {
  KernelFunc,
  NamedAttrMap,
  NamedTensorInfoMap,
  TensorInfo,
} from "@tensorflow/tfjs-core";
import { multiplyMatrices } from "./matrix_kernels.ts";
import { PLANNED_KERNELS, runPlanned } from "./planned_kernels.ts";
import { core } from "../tfjs.ts";

/** Its name in tfjs. */
export const FLOTILLA_BACKEND = "flotilla";

let registered = false;

/**
 * Registers the backend and its kernels with tfjs; later calls do nothing.
 *
 * @param make a backend of tfjs's kernels for the processor, which are loaded
 */
export function registerFlotillaBackend(make: () => MathBackendCPU): void {
  if (registered) return;
  registered = true;
  core.registerBackend(FLOTILLA_BACKEND, make, 2);
  core.copyRegisteredKernels("cpu", FLOTILLA_BACKEND);
  for (const name of Object.keys(PLANNED_KERNELS)) {
    replace(
      name,
      ({ inputs, backend, attrs }) =>
        runPlanned(backend as MathBackendCPU, name, inputs, attrs ?? {}),
    );
  }
  replace("_FusedMatMul", fusedProduct);
  replace("BatchMatMul", ({ inputs, backend, attrs }) =>
    multiplyMatrices(
      backend as MathBackendCPU,
      inputs["a"] as TensorInfo,
      inputs["b"] as TensorInfo,
      attrs?.["transposeA"] === true,
      attrs?.["transposeB"] === true,
    ));
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  relu: "Relu",
  relu6: "Relu6",
  elu: "Elu",
  sigmoid: "Sigmoid",
  leakyrelu: "LeakyRelu",
  prelu: "Prelu",
};

/** A product with bias and activation, which follow as kernels of their own. */
function fusedProduct({ inputs, backend, attrs }: KernelParameters): TensorInfo | null {
  const { a, b, bias, preluActivationWeights: alpha } = inputs as Record<string, TensorInfo>;
  const { transposeA, transposeB, activation, leakyreluAlpha } = attrs ?? {};
  const cpu = backend as MathBackendCPU;
  let result = multiplyMatrices(cpu, a!, b!, transposeA === true, transposeB === true);
  if (result === null) return null;
  const follow = (kernelName: string, others: NamedTensorInfoMap, own: NamedAttrMap) => {
    const from = result!;
    const { kernelFunc } = core.getKernel(kernelName, "cpu");
    result = kernelFunc({ inputs: { x: from, ...others }, backend, attrs: own }) as TensorInfo;
    cpu.disposeIntermediateTensorInfo(from);
  };
  if (bias) follow("Add", { a: result, b: bias }, {});
  const kernel = ACTIVATIONS[String(activation)];
  if (kernel !== undefined) {
    const others: NamedTensorInfoMap = kernel === "Prelu" ? { alpha } : {};
    follow(kernel, others, { alpha: leakyreluAlpha as number });
  }
  return result;
}

type KernelParameters = Parameters<KernelFunc>[0];

/** Puts a kernel in the place of tfjs's, which still does what the new one leaves (null). */
function replace(
  kernelName: string,
  run: (call: KernelParameters) => TensorInfo | null,
): void {
  const original = core.getKernel(kernelName, "cpu");
  core.unregisterKernel(kernelName, FLOTILLA_BACKEND);
  core.registerKernel({
    kernelName,
    backendName: FLOTILLA_BACKEND,
    kernelFunc: (call) => run(call) ?? original.kernelFunc(call),
  });
}
