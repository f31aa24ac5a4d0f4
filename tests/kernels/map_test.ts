import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type ElementExpression,
  type ElementFunction,
  map,
  type MapShape,
  ModuleBuilder,
} from "../../src/kernels/mod.ts";
import { referenceMap } from "../../src/kernels/reference/mod.ts";
import { arithmetics, noise, runKernel } from "./run_kernel.ts";

/** Fails unless each float is within a relative error, and special values are the same. */
function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-6): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!, e = Math.fround(expected[i]!);
    // Below the normal numbers a float has fewer digits.
    const allowed = Math.abs(expected[i]!) * relative + 1.5e-45;
    if (!(Object.is(a, e) || a === e || Math.abs(a - expected[i]!) <= allowed)) {
      assert.fail(`at ${i}: ${a} instead of ${expected[i]}`);
    }
  }
}

function check(shape: MapShape, operands: readonly Float32Array[], relative?: number): void {
  const size = shape.sizes.reduce((product, each) => product * each, 1);
  const expected = new Float64Array(size);
  referenceMap(shape, operands, expected);
  for (const arithmetic of arithmetics) {
    const named = Object.fromEntries(operands.map((operand, i) => [String(i), operand]));
    const { to } = runKernel(arithmetic, (module) => map(module, shape), {
      ...named,
      to: new Float32Array(size),
    }) as Record<"to", Float32Array>;
    assertNear(to, expected, relative);
  }
}

function call(f: ElementFunction, ...args: ElementExpression[]): ElementExpression {
  return { f, args };
}

const X = { arg: 0 }, Y = { arg: 1 }, Z = { arg: 2 };

/** One operand, all of whose numbers the function takes. */
function checkFunction(f: ElementFunction, numbers: readonly number[], relative?: number): void {
  const x = Float32Array.from(numbers);
  check({ sizes: [x.length], present: [[true]], expression: call(f, X) }, [x], relative);
}

/** Numbers between two bounds in equal steps. */
function between(low: number, high: number, count = 4001): number[] {
  return Array.from({ length: count }, (_, i) => low + (high - low) * i / (count - 1));
}

/** Positive floats of all magnitudes, in equal ratios. */
const MAGNITUDES = between(-126, 127.9, 6001).map((exponent) => 2 ** exponent);
const TINY = [1e-38, 3e-39, 1e-41, 1.4e-45];
const SPECIAL = [0, -0, 1, -1, NaN, Infinity, -Infinity, 3.4028234e38, -3.4028234e38];

Deno.test("map() computes exp to a millionth from the smallest float to the largest", () => {
  checkFunction("exp", [...between(-87, 88.72), ...between(-1, 1), ...SPECIAL]);
  checkFunction("exp", [88.4, 88.72, 88.73, 89, 1000, -200, -104, -1e30, 1e-30, -1e-30]);
  // Results below the normal numbers: within one unit of the smallest float.
  checkFunction("exp", between(-103.9, -87.4, 500), 1e-6);
});

Deno.test("map() computes log to a millionth, near 1 and of tiny numbers too", () => {
  checkFunction("log", [...MAGNITUDES, ...between(0.5, 2), ...between(0.999, 1.001), ...SPECIAL]);
  checkFunction("log", [...TINY, -1e-45, 1 + 2 ** -23, 1 - 2 ** -24]);
});

Deno.test("map() computes tanh and sigmoid to a millionth, and their limits", () => {
  for (const f of ["tanh", "sigmoid"] as const) {
    checkFunction(f, [...between(-20, 20), ...between(-0.7, 0.7), ...SPECIAL]);
    checkFunction(f, [...TINY, ...TINY.map((x) => -x), 88, -87, 100, -104, 1e-20, 0.625, -0.625]);
  }
});

Deno.test("map() computes powers of zero, of negative numbers and of large exponents", () => {
  const bases = [0, 1, -1, 2, -2, 0.5, -3, 10, 0.9, 1.7, NaN, Infinity];
  const exponents = [0, 1, 2, 3, -1, -2, 0.5, 7, -0.5, 20, 1.5];
  const pairs = bases.flatMap((base) => exponents.map((exponent) => [base, exponent] as const));
  const x = Float32Array.from(pairs, ([base]) => base);
  const y = Float32Array.from(pairs, ([, exponent]) => exponent);
  const shape = { sizes: [x.length], present: [[true], [true]] };
  check({ ...shape, expression: call("pow", X, Y) }, [x, y], 1e-5);
  for (const exponent of [2, 3, 0.5, -1]) {
    check({ ...shape, expression: call("pow", X, exponent) }, [x, y], 1e-5);
  }
});

Deno.test("map() rounds, compares, selects and joins truths", () => {
  const x = Float32Array.of(...SPECIAL, 2.5, -2.5, 3), y = noise(x.length, 2);
  y.set([0, 0, 1, 1, 1, 1], 0);
  const shape = { sizes: [x.length], present: [[true], [true]] };
  for (const f of ["gt", "ge", "lt", "le", "eq", "ne", "and", "or", "add", "sub", "mul"] as const) {
    check({ ...shape, expression: call(f, X, Y) }, [x, y]);
  }
  for (const f of ["neg", "abs", "sqrt", "floor", "trunc", "not"] as const) {
    check({ ...shape, expression: call(f, X) }, [x, y]);
  }
  check({ ...shape, expression: call("select", call("gt", X, Y), X, Y) }, [x, y]);
  check({ ...shape, expression: call("select", X, Y, 0) }, [x, y]);
  check({ ...shape, expression: call("select", call("not", call("lt", X, Y)), 3, -1) }, [x, y]);
  check({ ...shape, expression: call("div", X, 4) }, [x, y]);
});

Deno.test("map() keeps a NaN that is the first operand of max or min, as relu has it", () => {
  const x = Float32Array.of(NaN, 1, -1, Infinity, -Infinity);
  for (const f of ["max", "min"] as const) {
    check({ sizes: [5], present: [[true]], expression: call(f, X, 0) }, [x]);
  }
});

Deno.test("map() tells constants apart that JSON writes alike", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const fill = (value: number) =>
    map(module, { sizes: [4], present: [], expression: value }).func.index;
  const indices = [NaN, Infinity, -Infinity, 0, -0].map(fill);
  assert.equal(new Set(indices).size, 5);
  assert.equal(fill(Infinity), indices[1]);
  for (const value of [NaN, Infinity, -Infinity]) {
    check({ sizes: [7], present: [], expression: value }, []);
  }
  const x = Float32Array.of(1, -1, 0, 2, -3);
  const either = call(
    "select",
    call("gt", X, 0),
    call("add", X, Infinity),
    call("add", X, -Infinity),
  );
  check({ sizes: [5], present: [[true]], expression: either }, [x]);
});

Deno.test("map() may write over an operand that has all axes", () => {
  const x = noise(13), y = Float32Array.of(2);
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const kernel = map(module, {
    sizes: [13],
    present: [[true], [false]],
    expression: call("mul", X, Y),
  });
  module.export("kernel", kernel.func);
  const memory = new WebAssembly.Memory({ initial: 1 });
  const floats = new Float32Array(memory.buffer);
  floats.set(x, 16);
  floats.set(y, 64);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), {
    env: { memory },
  });
  (exports["kernel"] as (...at: number[]) => void)(64, 256, 64);
  assert.deepEqual([...floats.slice(16, 29)], [...x].map((value) => value * 2));
});

Deno.test("map() stretches operands along the axes they lack, for random axes", () => {
  const shapes = fc.array(
    fc.record({
      size: fc.integer({ min: 1, max: 9 }),
      own: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
    }),
    { minLength: 0, maxLength: 5 },
  );
  fc.assert(
    fc.property(shapes, (axes) => {
      const sizes = axes.map(({ size }) => size);
      const present = [0, 1, 2].map((i) => axes.map(({ own }) => own[i]!));
      const operands = present.map((own, i) =>
        noise(sizes.reduce((product, size, axis) => own[axis] ? product * size : product, 1), i + 1)
      );
      // Nothing here loses digits, as the sum of numbers of unlike signs would.
      const expression = call("mul", call("max", call("mul", Z, X), X), call("add", Y, 2));
      check({ sizes, present, expression }, operands);
    }),
    { numRuns: 60 },
  );
});
