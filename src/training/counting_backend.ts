/** What backends of tfjs without kernels of their own share: they count references to tensors. */
import type { DataId } from "@tensorflow/tfjs-core";
import { core } from "./tfjs.ts";

/** A backend whose numbers are wherever a subclass keeps them. */
export abstract class CountingBackend extends core.KernelBackend {
  readonly #references = new WeakMap<DataId, number>();
  #dataIds = 0;

  /** A new tensor. */
  make(): DataId {
    const dataId = {};
    this.keep(dataId, 1);
    return dataId;
  }

  /** Counts a tensor that was made elsewhere. */
  protected keep(dataId: DataId, references: number): void {
    this.#references.set(dataId, references);
    this.#dataIds += 1;
  }

  override incRef(dataId: DataId): void {
    this.#references.set(dataId, this.refCount(dataId) + 1);
  }

  override refCount(dataId: DataId): number {
    return this.#references.get(dataId) ?? 0;
  }

  override disposeData(dataId: DataId, force = false): boolean {
    const left = this.refCount(dataId) - 1;
    this.#references.set(dataId, left);
    if (left > 0 && !force) return false;
    this.#dataIds -= 1;
    return true;
  }

  override numDataIds(): number {
    return this.#dataIds;
  }

  override memory() {
    return { unreliable: true };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {}
}
