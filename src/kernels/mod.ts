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
export { gemm, type GemmShape } from "./gemm.ts";
