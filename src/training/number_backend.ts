/**
 * A backend of tfjs that holds numbers and computes nothing: models whose steps are compiled are
 * built on it, and need not wait for tfjs's kernels to be loaded.
 */
import type { BackendValues, DataId, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { CountingBackend } from "./counting_backend.ts";
import { core } from "./tfjs.ts";

/** Its name in tfjs. */
export const NUMBER_BACKEND = "flotilla-numbers";

class NumberBackend extends CountingBackend {
  readonly #values = new WeakMap<DataId, BackendValues>();

  override write(values: BackendValues): DataId {
    const dataId = this.make();
    this.#values.set(dataId, values);
    return dataId;
  }

  override move(
    dataId: DataId,
    values: BackendValues,
    _shape: number[],
    _dtype: DataType,
    references: number,
  ): void {
    this.keep(dataId, references);
    this.#values.set(dataId, values);
  }

  override readSync(dataId: DataId): BackendValues {
    return this.#values.get(dataId)!;
  }

  override read(dataId: DataId): Promise<BackendValues> {
    return Promise.resolve(this.readSync(dataId));
  }
}

const backend = new NumberBackend();
let registered = false;

/** Registers the backend with tfjs; later calls do nothing. */
export function registerNumberBackend(): void {
  if (registered) return;
  registered = true;
  core.registerBackend(NUMBER_BACKEND, () => backend, 0);
  // A copy of a variable shares its numbers.
  core.registerKernel({
    kernelName: core.Identity,
    backendName: NUMBER_BACKEND,
    kernelFunc({ inputs }) {
      const { dataId, shape, dtype } = inputs["x"] as TensorInfo;
      backend.incRef(dataId);
      return { dataId, shape, dtype };
    },
  });
}
