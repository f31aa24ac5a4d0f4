/** Plain TypeScript twins of all kernels, in the same layouts, for tests and for reading. */
export * from "./matrix.ts";
export * from "./convolution.ts";
