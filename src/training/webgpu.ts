/** WebGPU as the runtime offers it; tfjs's backend on it is loaded only when it is asked for. */
import { FlotillaError, messageOf } from "../core/errors.ts";
import { core } from "./tfjs.ts";

/** What the runtime says of the adapter that it would train on. */
export interface AdapterInfo {
  readonly name: string;
  /** It is a program on the processor that computes as a GPU would. */
  readonly isSoftware: boolean;
}

/** The part of `navigator.gpu` that is needed to ask for an adapter. */
export interface AdapterSource {
  requestAdapter(options: { powerPreference: "high-performance" }): Promise<
    {
      readonly info: { readonly description: string; readonly isFallbackAdapter?: boolean };
      readonly isFallbackAdapter?: boolean;
    } | null
  >;
}

/** Names of software adapters that do not always say so themselves. */
const SOFTWARE = /llvmpipe|lavapipe|swiftshader|basic render/i;

function offered(): AdapterSource | undefined {
  return (navigator as unknown as { gpu?: AdapterSource }).gpu;
}

/** The adapter that WebGPU would use; null if there is none. */
export async function findAdapter(
  gpu: AdapterSource | undefined = offered(),
): Promise<AdapterInfo | null> {
  const adapter = await gpu?.requestAdapter({ powerPreference: "high-performance" }) ?? null;
  if (adapter === null) return null;
  const { description, isFallbackAdapter = adapter.isFallbackAdapter } = adapter.info;
  return {
    name: description || "unnamed adapter",
    isSoftware: isFallbackAdapter === true || SOFTWARE.test(description),
  };
}

/**
 * Starts tfjs's backend `webgpu`, and leaves the current one as it is.
 *
 * @throws {FlotillaError} there is no adapter, or it does not serve: says what to do
 */
export async function startWebGpu(gpu: AdapterSource | undefined = offered()): Promise<void> {
  if (await findAdapter(gpu) === null) throw cannotTrain("this machine offers no WebGPU adapter");
  const before = core.getBackend();
  try {
    await import("@tensorflow/tfjs-backend-webgpu");
    if (!await core.setBackend("webgpu")) throw new Error("its backend does not start");
  } catch (error) {
    throw cannotTrain(messageOf(error));
  } finally {
    await core.setBackend(before);
  }
}

function cannotTrain(reason: string): FlotillaError {
  return new FlotillaError(
    `Cannot train on "webgpu" as ${reason}: install the GPU's Vulkan driver ` +
      "(Metal and Direct3D 12 come with their systems), or set training.device to cpu or auto",
  );
}
