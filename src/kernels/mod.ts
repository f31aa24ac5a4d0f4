/**
 * Kernels for training: an emitter of WebAssembly, and templates that generate a function for
 * given shapes. Layout: batch last, `[features...][batch]`, so a SIMD lane is a sample.
 *
 * @module
 */
export * from "./emitter/value.ts";
export * from "./emitter/instructions.ts";
export * from "./emitter/function_builder.ts";
export * from "./emitter/module_builder.ts";
export { detectArithmetic } from "./arithmetic.ts";
export { defineKernel, type Kernel, type KernelDefinition } from "./kernel.ts";
export { type Epilogue, type EpilogueOperand, epilogueOperands } from "./epilogue.ts";
export { isLargeProduct } from "./panel_product.ts";
export { gemm, type GemmShape, packPays } from "./gemm.ts";
export { WORKBENCH_BYTES } from "./panel_tile.ts";
export { hasWideVectors } from "./wide_vectors.ts";
export { gemmDot, type GemmDotShape } from "./gemm_dot.ts";
export { transpose, type TransposeShape } from "./transpose.ts";
export { rowSum, type RowSumShape } from "./row_sum.ts";
export { conv2dOutput, type Conv2dShape } from "./conv2d_shape.ts";
export { winogradPays } from "./winograd_convolution.ts";
export { conv2dForward } from "./conv2d_forward.ts";
export { conv2dInputGradient } from "./conv2d_input_gradient.ts";
export { conv2dWeightGradient, cutsWeightGradient } from "./conv2d_weight_gradient.ts";
export { turnedWeightGradient, turningPays, type WeightRows } from "./conv2d_turned_gradient.ts";
export { type ElementExpression, type ElementFunction } from "./expression_code.ts";
export { map, type MapShape } from "./map.ts";
export { reduce, type ReduceShape } from "./reduce.ts";
export { coversInput, poolForward, poolGradient, type PoolShape } from "./pool.ts";
export { depthwiseForward, depthwiseInputGradient, type DepthwiseShape } from "./depthwise.ts";
export { depthwiseWeightGradient } from "./depthwise_weight_gradient.ts";
export { copy, type CopyShape } from "./copy.ts";
export { oneHot, type RowsShape, sumRows, takeRows } from "./rows.ts";
export { loadBatch, type LoadShape } from "./load_batch.ts";
export { uniform, UNIFORM_STATE, type UniformShape } from "./uniform.ts";
export { axpby } from "./axpby.ts";
export { clipFactor, scale, squaredNorm } from "./clip.ts";
export { largestMagnitude } from "./largest_magnitude.ts";
export { fromFloat16, toFloat16 } from "./float16.ts";
export { fromInt8, INT8_LARGEST, toInt8 } from "./int8.ts";
export { weightedSum, type WeightedSumShape } from "./weighted_sum.ts";
export type { SumEpilogue } from "./lane_sums.ts";
