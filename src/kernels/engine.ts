/** The engine's WebAssembly, kept for kernels before it is taken away from the code of users. */
export const { CompileError, Instance, LinkError, Memory, Module, validate } = WebAssembly;
