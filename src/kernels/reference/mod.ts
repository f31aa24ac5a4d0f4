/** Plain TypeScript twins of all kernels, in the same layouts, for tests and for reading. */
export * from "./matrix.ts";
export * from "./convolution.ts";
export * from "./expression.ts";
export * from "./pool.ts";
export * from "./reduce.ts";
export * from "./rows.ts";
export * from "./copy.ts";
export * from "./uniform.ts";
export * from "./update.ts";
export * from "./number_formats.ts";
