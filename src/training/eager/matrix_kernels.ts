/** Products of matrices for tfjs, compiled for their shapes when they first run. */
import type { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { TensorInfo } from "@tensorflow/tfjs-core";
import { core } from "../tfjs.ts";
import { gemm, ModuleBuilder, transpose } from "../../kernels/mod.ts";
import { chosenArithmetic } from "../chosen_arithmetic.ts";
import { sizeOf } from "../step/graph.ts";
import { Arena } from "../step/memory_plan.ts";
import { KernelMemory } from "../kernel_memory.ts";

interface ProductShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** A compiled product and the addresses of its operands. */
interface Product {
  readonly run: () => void;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const memory = new KernelMemory();
const products = new Map<string, Product>();

/**
 * Multiplies matrices [..., rows, columns] of floats; leading axes are stretched to each other.
 *
 * @returns null for operands that this does not take: numbers other than floats, or none, or
 * matrices that do not fit, for which tfjs has its own message
 */
export function multiplyMatrices(
  backend: MathBackendCPU,
  a: TensorInfo,
  b: TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): TensorInfo | null {
  if (a.dtype !== "float32" || b.dtype !== "float32") return null;
  const leading = core.broadcast_util.assertAndGetBroadcastShape(
    a.shape.slice(0, -2),
    b.shape.slice(0, -2),
  );
  const [aRows, aColumns] = a.shape.slice(-2) as [number, number];
  const [bRows, bColumns] = b.shape.slice(-2) as [number, number];
  const [m, k] = transposeA ? [aColumns, aRows] : [aRows, aColumns];
  const [n, depth] = transposeB ? [bRows, bColumns] : [bColumns, bRows];
  if (k !== depth) return null;
  const count = sizeOf(leading);
  if (count * m * n * k === 0) return null;
  const product = productFor({ m, n, k, transposeA, transposeB });
  const { floats } = memory;
  const aValues = backend.data.get(a.dataId).values as Float32Array;
  const bValues = backend.data.get(b.dataId).values as Float32Array;
  const values = new Float32Array(count * m * n);
  const [aCount, bCount] = [aValues.length / (m * k), bValues.length / (k * n)];
  // One matrix for all, or one for each: stretching of single leading axes is left to tfjs.
  if ((aCount !== 1 && aCount !== count) || (bCount !== 1 && bCount !== count)) return null;
  for (let i = 0; i < count; i++) {
    const aStart = aCount === 1 ? 0 : i * m * k;
    const bStart = bCount === 1 ? 0 : i * k * n;
    floats.set(aValues.subarray(aStart, aStart + m * k), product.a / 4);
    floats.set(bValues.subarray(bStart, bStart + k * n), product.b / 4);
    product.run();
    values.set(floats.subarray(product.c / 4, product.c / 4 + m * n), i * m * n);
  }
  return backend.makeTensorInfo([...leading, m, n], "float32", values);
}

function productFor(shape: ProductShape): Product {
  const key = `${JSON.stringify(shape)} ${chosenArithmetic()}`;
  let product = products.get(key);
  if (product === undefined) {
    product = compile(shape);
    products.set(key, product);
  }
  return product;
}

function compile({ m, n, k, transposeA, transposeB }: ProductShape): Product {
  const module = new ModuleBuilder({ arithmetic: chosenArithmetic() });
  const arena = new Arena(0);
  const [a, b, c] = [m * k, k * n, m * n].map((floats) => arena.take(floats * 4).address) as [
    number,
    number,
    number,
  ];
  const [aRow, aDepth] = transposeA ? [1, m] : [k, 1];
  const kernel = gemm(module, { m, n, k, aRow, aDepth, bDepth: n, cRow: n });
  const turned = transposeB ? arena.take(k * n * 4).address : b;
  const scratch = arena.take(kernel.scratchBytes).address;
  const places: Record<string, number> = { a, b: turned, c, scratch };
  const turn = transposeB ? transpose(module, { rows: n, columns: k }) : null;
  const run = module.function("run", {}, (f) => {
    if (turn !== null) f.call(turn.func, b, turned);
    f.call(kernel.func, ...kernel.params.map((name) => places[name]!));
  });
  module.export("run", run);
  return { run: memory.instantiate(module.bytes(), arena.top)["run"] as () => void, a, b, c };
}
