/**
 * tfjs's core in its smallest file, for whoever asks for the plain one from now on: that has five
 * times as many bytes, and to read them takes longer than to build and record a model. tfjs's other
 * packages ask for the plain file by themselves, so it is the loading of it that is answered. Where
 * it is loaded in another way, as in a bundle, nothing changes.
 */
import Module from "node:module";
// @ts-types="@tensorflow/tfjs-core"
import * as core from "@tensorflow/tfjs-core/minified";

const { KernelBackend } = core;

/** `KernelBackend` as the plain file has it: a function, which those of other files call as one. */
function PlainKernelBackend(this: object): object {
  return Reflect.construct(KernelBackend, [], new.target ?? this.constructor);
}
PlainKernelBackend.prototype = KernelBackend.prototype;

const answer = { ...core, KernelBackend: PlainKernelBackend };

/** The runtime's loader of CommonJS modules, the form of the plain file. */
const loader = Module as unknown as { _load: (request: string, ...rest: unknown[]) => unknown };
const load = loader._load;

loader._load = function (request, ...rest) {
  const isCore = /[\\/]tf-core\.node\.js$|^@tensorflow\/tfjs-core$/.test(request);
  return isCore ? answer : load.call(this, request, ...rest);
};
