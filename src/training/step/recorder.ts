/**
 * A backend of tfjs that computes shapes only: each kernel becomes values of a graph by its rule.
 * Tensors of other backends are read as constants, unless they are variables of the step.
 */
import type {
  BackendValues,
  DataId,
  DataType,
  NamedTensorInfoMap,
  Tensor,
  TensorInfo,
} from "@tensorflow/tfjs-core";
import { CountingBackend } from "../counting_backend.ts";
import { GraphBuilder, type Value } from "./graph.ts";
import { NotRecordable } from "./not_recordable.ts";
import { RULES } from "./rules/registry.ts";
import type { KernelCall, TypedSymbol } from "./rules/rule.ts";
import { plain } from "./symbol.ts";
import { withTileGradient } from "./tile_gradient.ts";
import { core } from "../tfjs.ts";

export const RECORDER = "flotilla-recorder";

/** What becomes of a step while it is recorded. */
export class Recording {
  readonly graph: GraphBuilder;
  readonly #symbols = new WeakMap<DataId, TypedSymbol>();
  /** Draws from Math.random since something was last made of them. */
  readonly #draws: number[] = [];
  #randomCount = 0;

  constructor(readonly samples: number, padded: boolean) {
    this.graph = new GraphBuilder(padded);
  }

  symbolOf(tensor: TensorInfo): TypedSymbol {
    const { dataId } = tensor;
    let symbol = this.#symbols.get(dataId);
    if (symbol === undefined) {
      symbol = this.#constant(core.engine().readSync(dataId), tensor.shape, tensor.dtype);
      this.#symbols.set(dataId, symbol);
    }
    return symbol;
  }

  has(dataId: DataId): boolean {
    return this.#symbols.has(dataId);
  }

  bind(dataId: DataId, symbol: TypedSymbol): void {
    this.#symbols.set(dataId, symbol);
  }

  draw(random: number): void {
    this.#draws.push(random);
  }

  /** A tensor made by the host: a constant, or random numbers if it was made of such. */
  hostTensor(
    values: BackendValues,
    shape: readonly number[],
    dtype: string,
  ): TypedSymbol {
    const draws = this.#draws.splice(0);
    if (draws.length === 0) return this.#constant(values, shape, dtype);
    if (draws.length > 1 || !isUniform(values, shape, draws[0]!)) {
      throw new NotRecordable("it draws random numbers other than uniform ones in [0, 1)");
    }
    return { ...this.#random(shape), dtype };
  }

  #constant(values: BackendValues, shape: readonly number[], dtype: string): TypedSymbol {
    if (values.length > 0 && typeof values[0] !== "number") {
      throw new NotRecordable("it holds a tensor of texts");
    }
    const numbers = values as ArrayLike<number>;
    const uniform = isConstant(numbers);
    const dims = uniform ? shape.map(() => 1) : shape;
    const floats = Float32Array.from(uniform ? [numbers[0]!] : numbers);
    const value = this.graph.constant(floats, dims);
    return { ...plain(value, shape), dtype };
  }

  /** Numbers that differ between samples if the first axis is as long as the batch. */
  #random(shape: readonly number[]) {
    const operation = { kind: "random", draw: this.#randomCount++ } as const;
    const isBatch = shape[0] === this.samples;
    const dims = isBatch ? shape.slice(1) : shape;
    const value: Value = this.graph.make(operation, [], dims, isBatch);
    return { value, shape, batchAxis: isBatch ? 0 : null, inner: null };
  }
}

/** Whether numbers are all the same, as those of a gradient of a sum are: millions in a large model. */
function isConstant(values: ArrayLike<number>): boolean {
  // A loop, as the engine compiles it while it runs, which it does not do with `every`.
  for (let i = 1; i < values.length; i++) {
    if (!Object.is(values[i], values[0])) return false;
  }
  return values.length > 0;
}

/** Whether numbers are those that tfjs makes of one draw for `randomUniform(shape, 0, 1)`. */
function isUniform(
  values: BackendValues,
  shape: readonly number[],
  draw: number,
): boolean {
  const { random } = Math;
  const outer = active;
  const seen: BackendValues[] = [];
  active = { ...idle, write: (written) => seen.push(written) };
  Math.random = () => draw;
  try {
    core.randomUniform([...shape], 0, 1);
  } finally {
    active = outer;
    Math.random = random;
  }
  const again = seen[0];
  return again !== undefined && again.length === values.length &&
    (again as Float32Array).every((value, i) => value === Math.fround(Number(values[i])));
}

/** Who receives what the backend is asked for. */
interface Receiver {
  readonly recording: Recording | null;
  write(values: BackendValues, shape: number[], dtype: string, dataId: DataId): void;
}

const idle: Receiver = { recording: null, write() {} };
let active: Receiver = idle;

class RecorderBackend extends CountingBackend {
  override write(values: BackendValues, shape: number[], dtype: DataType): DataId {
    const dataId = this.make();
    active.write(values, shape, dtype, dataId);
    return dataId;
  }

  override readSync(): never {
    throw new NotRecordable("the model reads numbers back while it runs");
  }

  override read(): Promise<never> {
    return Promise.reject(new NotRecordable("the model reads numbers back while it runs"));
  }
}

const backend = new RecorderBackend();
let registered = false;

function register(): void {
  if (registered) return;
  registered = true;
  core.registerBackend(RECORDER, () => backend, 0);
  for (const [kernelName, rule] of Object.entries(RULES)) {
    core.registerKernel({
      kernelName,
      backendName: RECORDER,
      kernelFunc({ inputs, attrs }) {
        const { recording } = active;
        if (recording === null) throw new NotRecordable(`kernel ${kernelName} ran out of a step`);
        const result = rule(kernelCall(recording, kernelName, inputs, attrs ?? {}));
        const infos = [result].flat().map((symbol) => {
          const dataId = backend.make();
          const dtype = (symbol.dtype ?? "float32") as DataType;
          recording.bind(dataId, { ...symbol, dtype });
          return { dataId, shape: [...symbol.shape], dtype };
        });
        return Array.isArray(result) ? infos : infos[0]!;
      },
    });
  }
}

/** A call of a kernel of tfjs on tensors that a recording knows. */
export function kernelCall(
  recording: Recording,
  name: string,
  inputs: NamedTensorInfoMap,
  attributes: Readonly<Record<string, unknown>>,
): KernelCall {
  return {
    name,
    graph: recording.graph,
    samples: recording.samples,
    attributes,
    has: (key) => inputs[key] !== undefined && inputs[key] !== null,
    input(key) {
      const tensor = inputs[key];
      if (tensor === undefined || tensor === null) {
        throw new NotRecordable(`kernel ${name} has no input ${key}`);
      }
      return recording.symbolOf(tensor);
    },
    inputs() {
      return Object.values(inputs).flat().map((tensor) => recording.symbolOf(tensor!));
    },
  };
}

/** A tensor of the recorder that stands for a symbol. */
export function tensorOf(recording: Recording, symbol: TypedSymbol): Tensor {
  const dataId = backend.make();
  recording.bind(dataId, symbol);
  const { shape, dtype } = symbol;
  return core.engine().makeTensorFromTensorInfo(
    { dataId, shape: [...shape], dtype: dtype as DataType },
    backend,
  );
}

/**
 * Runs code with the recorder as backend, and restores the one there was.
 *
 * @throws {NotRecordable} there is no rule for what it does
 */
export function recordWith<T>(recording: Recording, code: () => T): T {
  register();
  const { random } = Math;
  const before = core.getBackend();
  Math.random = () => {
    const value = random();
    recording.draw(value);
    return value;
  };
  active = {
    recording,
    write(values, shape, dtype, dataId) {
      recording.bind(dataId, recording.hostTensor(values, shape, dtype));
    },
  };
  try {
    // It starts at once, so there is nothing to wait for.
    void core.setBackend(RECORDER);
    return withTileGradient(code);
  } catch (error) {
    throw asNotRecordable(error);
  } finally {
    active = idle;
    Math.random = random;
    void core.setBackend(before);
  }
}

/** How tfjs says that a backend lacks a kernel: from an operation's inside, or from outside. */
const MISSING_KERNEL = /(?:Cannot find registered kernel|^Kernel) '(\w+)'/;

function asNotRecordable(error: unknown): unknown {
  if (error instanceof NotRecordable || !(error instanceof Error)) return error;
  const [, kernel] = MISSING_KERNEL.exec(error.message) ?? [];
  if (kernel !== undefined) return new NotRecordable(`there is no rule for kernel ${kernel}`);
  if (error instanceof RangeError && error.message.endsWith("no rule for it")) {
    return new NotRecordable(error.message);
  }
  return error;
}
