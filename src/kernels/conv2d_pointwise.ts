/** A 1x1 convolution or its input gradient as a matrix product over all pixels of all samples. */
import type { Conv2dShape } from "./conv2d_shape.ts";
import type { ModuleBuilder } from "./emitter/module_builder.ts";
import { type Epilogue, epilogueKey, epilogueOperands } from "./epilogue.ts";
import { gemm } from "./gemm.ts";
import { defineKernel, type Kernel } from "./kernel.ts";

/** Which operand is which, and the strides of the weights in floats. */
export interface PointwiseRoles {
  readonly name: string;
  readonly sourceName: string;
  readonly resultName: string;
  readonly sourceChannels: number;
  readonly resultChannels: number;
  readonly weights: { readonly source: number; readonly result: number };
  readonly epilogue: Epilogue;
}

/** Operands the source, `w`, the result, those of the epilogue, then `scratch` if it is used. */
export function pointwiseConvolution(
  module: ModuleBuilder,
  { batch, inputHeight, inputWidth }: Conv2dShape,
  roles: PointwiseRoles,
): Kernel {
  const { name, sourceName, resultName, sourceChannels, resultChannels, weights, epilogue } = roles;
  const n = inputHeight * inputWidth * batch;
  const product = gemm(module, {
    ...{ m: resultChannels, n, k: sourceChannels, bDepth: n, cRow: n, epilogue },
    ...{ aRow: weights.result, aDepth: weights.source },
  });
  const scratch = product.scratchBytes > 0 ? ["scratch"] : [];
  const rest = [...epilogueOperands(epilogue), ...scratch];
  return defineKernel(module, {
    key: `${name} 1x1 ${[n, sourceChannels, resultChannels]} ${epilogueKey(epilogue)}`,
    params: [sourceName, "w", resultName, ...rest],
    flops: product.flops,
    scratchBytes: product.scratchBytes,
    build(f, args) {
      const operands = ["w", sourceName, resultName, ...rest].map((name) => args[name]!);
      f.call(product.func, ...operands);
    },
  });
}
