/** tfjs's packages as a worker has them that loads them in its own way, before anything asks for them. */
import type * as Cpu from "@tensorflow/tfjs-backend-cpu";
import type * as Core from "@tensorflow/tfjs-core";
import type * as Layers from "@tensorflow/tfjs-layers";

/** Packages that belong together: layers and kernels are made for this core and no other. */
export interface Tfjs {
  readonly core: typeof Core;
  readonly layers: typeof Layers;
  /** Loads the kernels of the cpu backend, which registers itself with the core. */
  loadCpu(): Promise<typeof Cpu>;
}

/** Null where they come from npm. */
export const given: { tfjs: Tfjs | null } = { tfjs: null };
