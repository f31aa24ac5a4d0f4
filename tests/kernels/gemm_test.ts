import assert from "node:assert/strict";
import fc from "fast-check";
import { type Epilogue, gemm, type GemmShape } from "../../src/kernels/mod.ts";
import { referenceGemm } from "../../src/kernels/reference/mod.ts";
import { arithmetics, assertClose, noise, runKernel } from "./run_kernel.ts";

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposedA?: boolean;
  readonly gap?: number;
  readonly epilogue?: Epilogue;
  readonly outer?: "rows" | "columns";
  readonly pack?: boolean;
  readonly packStrip?: boolean;
  readonly depth?: number;
}

const EPILOGUES: readonly Epilogue[] = [
  {},
  { bias: "row", activation: "relu" },
  { bias: "column", activation: "relu" },
  { mask: true },
  { accumulate: true, scale: -0.01 },
  { accumulate: true, scale: "operand" },
  { bias: "row", scale: 0.25, mask: true, accumulate: true },
  { bias: "row", scale: "operand", mask: true, accumulate: true },
];

function check({ m, n, k, transposedA = false, gap = 0, ...rest }: Case): void {
  const bDepth = Math.ceil(n / 4) * 4 + gap;
  const shape: GemmShape = {
    ...{ m, n, k, bDepth, cRow: n + gap },
    ...(transposedA ? { aRow: 1, aDepth: m + gap } : { aRow: k + gap, aDepth: 1 }),
    ...rest,
  };
  const operands = {
    a: noise((m + gap) * (k + gap), 1),
    b: noise(k * bDepth, 2),
    c: noise(m * (n + gap), 3),
    bias: noise(Math.ceil(Math.max(m, n) / 4) * 4, 4),
    mask: noise(m * (n + gap) + 3, 5),
    scale: Float32Array.of(-0.5),
  };
  const expected = Float64Array.from(operands.c);
  const { a, b, bias, mask } = operands;
  referenceGemm(shape, a, b, expected, { bias, mask, scale: -0.5 });
  for (const arithmetic of arithmetics) {
    const { c } = runKernel(arithmetic, (module) => gemm(module, shape), operands);
    assertClose(c, expected);
  }
}

Deno.test("gemm() multiplies matrices of any extents", () => {
  for (const m of [1, 5, 6, 7, 13, 30]) {
    for (const n of [1, 2, 3, 4, 7, 10, 12, 32]) {
      for (const k of [1, 7, 8, 33]) check({ m, n, k });
    }
  }
});

Deno.test("gemm() reads A at any strides and leaves gaps between rows alone", () => {
  check({ m: 13, n: 20, k: 9, transposedA: true, gap: 3 });
  check({ m: 2, n: 10, k: 9, transposedA: true, gap: 1 });
});

Deno.test("gemm() gives the same product for each order of loops and with packing", () => {
  for (const n of [7, 12, 16]) {
    for (const outer of ["rows", "columns"] as const) {
      for (const pack of [false, true]) check({ m: 17, n, k: 21, outer, pack });
    }
  }
});

Deno.test("gemm() gives the same bits by panels", () => {
  let turn = 0;
  for (const m of [6, 7, 12, 17, 31]) {
    for (const n of [8, 10, 13, 16, 27, 32]) {
      for (const k of [1, 32, 64, 65, 150]) {
        const bDepth = Math.ceil(n / 4) * 4 + turn % 3 * 2;
        const shape: GemmShape = {
          ...{
            m,
            n,
            k,
            bDepth,
            cRow: n + turn % 2,
            epilogue: EPILOGUES[turn++ % EPILOGUES.length]!,
          },
          ...(turn % 2 === 0 ? { aRow: 1, aDepth: m } : { aRow: k, aDepth: 1 }),
          ...(k % 2 === 0 && k <= 64 && turn % 3 === 0
            ? { aBlocks: { count: 2, stride: k * m } }
            : {}),
          byPanels: true,
        };
        const operands = {
          ...{ a: noise(2 * m * k, 1), b: noise(k * bDepth, 2), c: noise(m * (n + 1) + 3, 3) },
          ...{ bias: noise(32, 4), mask: noise(m * (n + 1) + 3, 5), scale: Float32Array.of(-0.5) },
        };
        for (const arithmetic of arithmetics) {
          const [plain, panels] = ([undefined, "joined"] as const).map((workbench) =>
            runKernel(arithmetic, (module) => gemm(module, shape), operands, workbench).c
          );
          assert.deepEqual(panels, plain, JSON.stringify([arithmetic, shape]));
        }
      }
    }
  }
});

Deno.test("gemm() copies strips of any size", () => {
  for (const m of [1, 2, 3, 4, 5, 6, 7, 17]) {
    for (const pack of [false, true]) {
      const own = { outer: "rows", pack, packStrip: true, transposedA: true } as const;
      check({ m, n: 7, k: 9, ...own });
      check({ m, n: 12, k: 9, ...own, epilogue: { scale: "operand", bias: "row" } });
    }
  }
});

Deno.test("gemm() gives the same bits in blocks of any depth", () => {
  const [m, n, k] = [13, 10, 33];
  const a = noise(m * k, 1), b = noise(k * 12, 2), c = noise(m * n + 2, 3), bias = noise(16, 4);
  const shape = { m, n, k, aRow: 1, aDepth: m, bDepth: 12, cRow: n };
  const epilogue = { bias: "row", activation: "relu" } as const;
  for (const arithmetic of arithmetics) {
    const results = [33, 32, 17, 16, 11, 1].flatMap((depth) =>
      (["rows", "columns"] as const).map((outer) => {
        const own = { ...shape, epilogue, depth, outer, packStrip: outer === "rows" };
        return runKernel(arithmetic, (module) => gemm(module, own), { a, b, c, bias }).c;
      })
    );
    for (const result of results) assert.deepEqual(result, results[0]);
  }
});

Deno.test("gemm() gives the same product whatever fits the caches", () => {
  check({ m: 40, n: 8, k: 7000, transposedA: true }); // strips and panels copied
  check({ m: 40, n: 48, k: 7000 }); // panels one by one
  check({ m: 13, n: 48, k: 7000, transposedA: true });
});

Deno.test("gemm() applies each epilogue", () => {
  for (const epilogue of EPILOGUES) {
    for (const n of [8, 11]) for (const m of [7, 19]) check({ m, n, k: 5, epilogue });
  }
});

Deno.test("gemm() agrees with the plain product on random shapes", () => {
  const extent = fc.integer({ min: 1, max: 40 });
  const shapes = fc.record({
    m: extent,
    n: extent,
    k: extent,
    transposedA: fc.boolean(),
    gap: fc.integer({ min: 0, max: 5 }),
    epilogue: fc.record({
      bias: fc.constantFrom("row", "column"),
      activation: fc.constantFrom("none", "relu"),
      mask: fc.boolean(),
      accumulate: fc.boolean(),
      scale: fc.constantFrom(1, 0.5, "operand"),
    }, { requiredKeys: [] }) as fc.Arbitrary<Epilogue>,
  });
  fc.assert(fc.property(shapes, check), { numRuns: 60 });
});
