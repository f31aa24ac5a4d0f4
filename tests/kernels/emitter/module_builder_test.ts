import assert from "node:assert/strict";
import {
  type Arithmetic,
  detectArithmetic,
  f32,
  f32x4,
  type FunctionBuilder,
  type FunctionHandle,
  i32,
  i32x4,
  type Local,
  ModuleBuilder,
  type V128,
  v128,
  type Value,
} from "../../../src/kernels/mod.ts";

/** A built module with its exports and the memory it works on. */
function start(module: ModuleBuilder) {
  const bytes = module.bytes();
  assert.ok(WebAssembly.validate(bytes));
  const memory = new WebAssembly.Memory({ initial: 1 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const call = (name: string, ...args: number[]) =>
    (exports[name] as (...args: number[]) => number)(...args);
  return { call, floats: new Float32Array(memory.buffer), ints: new Int32Array(memory.buffer) };
}

/** Runs one function of two integers. */
function compute(
  build: (f: FunctionBuilder, args: { x: Local<"i32">; y: Local<"i32"> }) => Value<"i32">,
  x: number,
  y: number,
): number {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  module.export("f", module.function("f", { x: "i32", y: "i32" }, build));
  return start(module).call("f", x, y);
}

/** The four floats of a vector expression over two vectors at addresses 0 and 16. */
function lanes(build: (a: V128, b: V128) => V128, a: number[], b: number[] = [0, 0, 0, 0]) {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  module.export(
    "f",
    module.function("f", {}, (f) => f.store(32, build(v128.load(0), v128.load(16)))),
  );
  const { call, floats } = start(module);
  floats.set([...a, ...b]);
  call("f");
  return [...floats.subarray(8, 12)];
}

Deno.test("ModuleBuilder.bytes() of a function that adds is this module", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  module.export(
    "add",
    module.function("add", { x: "i32", y: "i32" }, (_f, { x, y }) => i32.add(x, y)),
  );
  const name = [3, 0x61, 0x64, 0x64];
  assert.deepEqual([...module.bytes()], [
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, 7, 1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f],
    ...[2, 15, 1, 3, 0x65, 0x6e, 0x76, 6, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 2, 0, 1],
    ...[3, 2, 1, 0],
    ...[7, 7, 1, ...name, 0, 0],
    ...[10, 9, 1, 7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b],
    ...[0, 13, 4, 0x6e, 0x61, 0x6d, 0x65, 1, 6, 1, 0, ...name],
  ]);
});

Deno.test("FunctionBuilder.loop() runs its body as often as asked, also for 0 and 1", () => {
  for (const times of [0, 1, 2, 1000]) {
    const constant = compute(
      (f) => {
        const sum = f.let(i32.const(0));
        f.loop(times, () => f.bump(sum, 3));
        return sum;
      },
      0,
      0,
    );
    const variable = compute(
      (f, { x }) => {
        const sum = f.let(i32.const(0));
        f.loop(x, () => f.bump(sum, 3));
        return sum;
      },
      times,
      0,
    );
    assert.deepEqual([constant, variable], [3 * times, 3 * times]);
  }
});

Deno.test("FunctionBuilder.unrolledLoop() also runs the remainder", () => {
  for (const times of [0, 1, 3, 4, 5, 8, 11]) {
    const count = compute(
      (f, { x }) => {
        f.unrolledLoop(times, 4, () => f.bump(x, 1));
        return x;
      },
      0,
      0,
    );
    assert.equal(count, times);
  }
});

Deno.test("FunctionBuilder.if() takes one branch", () => {
  const larger = (x: number, y: number) =>
    compute(
      (f, { x, y }) => {
        const result = f.local("i32");
        f.if(i32.gtS(x, y), () => f.set(result, x), () => f.set(result, y));
        return result;
      },
      x,
      y,
    );
  assert.deepEqual([larger(-1, -2), larger(3, 4)], [-1, 4]);
});

Deno.test("FunctionBuilder gives the locals of a finished scope to the next one", () => {
  const f = new FunctionBuilderProbe();
  assert.equal(f.indexInScope(), f.indexInScope());
  assert.notEqual(f.outer, f.indexInScope());
});

class FunctionBuilderProbe {
  readonly #f: FunctionBuilder;
  readonly outer: number;

  constructor() {
    let builder: FunctionBuilder | undefined;
    new ModuleBuilder({ arithmetic: "portable" }).function("f", {}, (f) => void (builder = f));
    this.#f = builder!;
    this.outer = this.#f.local("i32").index;
  }

  indexInScope(): number {
    let index = -1;
    this.#f.scope(() => index = this.#f.local("i32").index);
    return index;
  }
}

Deno.test("FunctionBuilder.call() passes arguments, callValue() gives the result", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const half = module.function("half", { x: "f32" }, (_f, { x }) => f32.mul(x, f32.const(0.5)));
  const put = module.function("put", { at: "i32", x: "f32" }, (f, { at, x }) => {
    f.store(at, f.callValue(half, x), 4);
  });
  module.export("run", module.function("run", {}, (f) => f.call(put, 8, f32.const(7))));
  const { call, floats } = start(module);
  call("run");
  assert.equal(floats[3], 3.5);
});

Deno.test("FunctionBuilder refuses operands of a wrong type or number, and a negative offset", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  const two = module.function("two", { x: "i32", y: "v128" }, () => {});
  module.function("f", { x: "f32", p: "i32" }, (f, { x, p }) => {
    assert.throws(() => f.call(two, 1), /"two" with 1 arguments: it takes 2/);
    assert.throws(() => f.call(two, 1, x), /operand 2 must be v128: it is f32/);
    assert.throws(() => f32x4.add(x as unknown as V128, f32x4.const(0)), TypeError);
    assert.throws(() => v128.load(p, -4), RangeError);
    assert.throws(() => f32x4.extractLane(f32x4.const(0), 4), RangeError);
  });
  assert.throws(() => module.export("two", missing(module)), /Cannot export "two" twice/);
});

function missing(module: ModuleBuilder): FunctionHandle {
  const handle = module.function("other", {}, () => {});
  module.export("two", handle);
  return handle;
}

Deno.test("f32x4 and v128 instructions work lane by lane", () => {
  const a = [1, -2, 3, -4], b = [4, 3, -2, -1];
  assert.deepEqual(lanes(f32x4.add, a, b), [5, 1, 1, -5]);
  assert.deepEqual(lanes(f32x4.sub, a, b), [-3, -5, 5, -3]);
  assert.deepEqual(lanes(f32x4.mul, a, b), [4, -6, -6, 4]);
  assert.deepEqual(lanes(f32x4.div, a, b), [0.25, Math.fround(-2 / 3), -1.5, 4]);
  assert.deepEqual(lanes(f32x4.min, a, b), [1, -2, -2, -4]);
  assert.deepEqual(lanes(f32x4.max, a, b), [4, 3, 3, -1]);
  assert.deepEqual(lanes(f32x4.pmin, a, b), [1, -2, -2, -4]);
  assert.deepEqual(lanes(f32x4.pmax, a, b), [4, 3, 3, -1]);
  assert.deepEqual(lanes((x) => f32x4.abs(x), a), [1, 2, 3, 4]);
  assert.deepEqual(lanes((x) => f32x4.neg(x), a), [-1, 2, -3, 4]);
  assert.deepEqual(lanes((x) => f32x4.sqrt(x), [1, 4, 9, 16]), [1, 2, 3, 4]);
  assert.deepEqual(lanes((x) => f32x4.floor(x), [1.5, -1.5, 2, 0.9]), [1, -2, 2, 0]);
  assert.deepEqual(lanes((x) => f32x4.ceil(x), [1.5, -1.5, 2, 0.1]), [2, -1, 2, 1]);
  assert.deepEqual(lanes((x) => f32x4.trunc(x), [1.5, -1.5, 2, 0.9]), [1, -1, 2, 0]);
  assert.deepEqual(lanes((x) => f32x4.nearest(x), [1.5, 2.5, -1.2, 0.6]), [2, 2, -1, 1]);
  assert.deepEqual(lanes((x, y) => f32x4.shuffle(x, y, 0, 5, 7, 2), a, b), [1, 3, -1, 3]);
  assert.deepEqual(lanes(() => f32x4.const(1, 2, 3, 4), a), [1, 2, 3, 4]);
  assert.deepEqual(lanes(() => f32x4.splat(f32.load(4)), a), [-2, -2, -2, -2]);
  assert.deepEqual(lanes(() => v128.load32Splat(8), a), [3, 3, 3, 3]);
  assert.deepEqual(lanes(() => v128.load64Zero(8), a), [3, -4, 0, 0]);
  assert.deepEqual(lanes(() => v128.load32Zero(8), a), [3, 0, 0, 0]);
  assert.deepEqual(lanes((x) => v128.load32Lane(16, x, 3), a, b), [1, -2, 3, 4]);
  assert.deepEqual(lanes((x) => v128.load64Lane(16, x, 1), a, b), [1, -2, 4, 3]);
});

Deno.test("comparisons make masks that bitselect and and take", () => {
  const a = [1, 2, 3, 4], b = [4, 2, 2, 8];
  const kept = (compare: (x: V128, y: V128) => V128) =>
    lanes((x, y) => v128.and(f32x4.const(1), compare(x, y)), a, b);
  assert.deepEqual(kept(f32x4.eq), [0, 1, 0, 0]);
  assert.deepEqual(kept(f32x4.ne), [1, 0, 1, 1]);
  assert.deepEqual(kept(f32x4.lt), [1, 0, 0, 1]);
  assert.deepEqual(kept(f32x4.gt), [0, 0, 1, 0]);
  assert.deepEqual(kept(f32x4.le), [1, 1, 0, 1]);
  assert.deepEqual(kept(f32x4.ge), [0, 1, 1, 0]);
  assert.deepEqual(kept((x, y) => v128.not(f32x4.eq(x, y))), [1, 0, 1, 1]);
  assert.deepEqual(lanes((x, y) => v128.bitselect(x, y, f32x4.lt(x, y)), a, b), [1, 2, 2, 4]);
  assert.deepEqual(lanes((x, y) => v128.andnot(x, f32x4.lt(x, y)), a, b), [0, 2, 3, 0]);
});

Deno.test("i32x4 instructions convert, shift and compare", () => {
  assert.deepEqual(
    lanes((x) => f32x4.convertI32x4S(i32x4.truncSatF32x4S(x)), [1.9, -1.9, 3, 0]),
    [1, -1, 3, 0],
  );
  const asFloats = (x: V128) => f32x4.convertI32x4S(x);
  assert.deepEqual(lanes(() => asFloats(i32x4.shl(i32x4.const(1, 2, 3, 4), 2)), []), [
    4,
    8,
    12,
    16,
  ]);
  assert.deepEqual(lanes(() => asFloats(i32x4.shrS(i32x4.const(-8), 1)), []), [-4, -4, -4, -4]);
  assert.deepEqual(lanes(() => asFloats(i32x4.splat(7)), []), [7, 7, 7, 7]);
  const one = i32x4.const(1, 2, 3, 4), two = i32x4.const(4, 2, 1, 9);
  assert.deepEqual(lanes(() => asFloats(i32x4.mul(one, two)), []), [4, 4, 3, 36]);
  assert.deepEqual(lanes(() => asFloats(i32x4.sub(one, two)), []), [-3, 0, 2, -5]);
  assert.deepEqual(lanes(() => asFloats(i32x4.eq(one, two)), []), [0, -1, 0, 0]);
  assert.deepEqual(lanes(() => asFloats(i32x4.max(one, two)), []), [4, 2, 3, 9]);
});

Deno.test("f32 and i32 instructions follow the text format", () => {
  assert.equal(compute((_f, { x, y }) => i32.mul(i32.sub(x, y), 3), 10, 4), 18);
  assert.equal(compute((_f, { x, y }) => i32.divU(x, y), 17, 5), 3);
  assert.equal(compute((_f, { x, y }) => i32.remU(x, y), 17, 5), 2);
  assert.equal(compute((_f, { x, y }) => i32.xor(i32.shl(x, 4), i32.shrU(y, 1)), 1, 6), 19);
  assert.equal(compute((_f, { x }) => i32.eqz(x), 0, 0), 1);
  assert.equal(compute((_f, { x, y }) => f32.lt(f32.convertI32S(x), f32.convertI32S(y)), 1, 2), 1);
});

Deno.test("FunctionBuilder fills and copies memory", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  module.export(
    "f",
    module.function("f", {}, (f) => {
      f.memoryFill(0, 1, 8);
      f.memoryCopy(16, 4, 4);
      f.storeNarrow(8, 32, i32.const(0x1ff));
    }),
  );
  const { call, ints } = start(module);
  call("f");
  assert.deepEqual([...ints.subarray(0, 9)], [
    0x01010101,
    0x01010101,
    0,
    0,
    0x01010101,
    0,
    0,
    0,
    255,
  ]);
});

Deno.test("ModuleBuilder.cached() makes a thing once", () => {
  const module = new ModuleBuilder({ arithmetic: "portable" });
  let made = 0;
  const make = () => ++made;
  assert.deepEqual([module.cached("a", make), module.cached("a", make)], [1, 1]);
  assert.equal(module.cached("b", make), 2);
});

Deno.test("ModuleBuilder imports a shared memory if it knows its maximum", () => {
  assert.throws(
    () => new ModuleBuilder({ arithmetic: "portable", memory: { shared: true } }),
    /without maximumPages/,
  );
  const module = new ModuleBuilder({
    arithmetic: "portable",
    memory: { minimumPages: 2, maximumPages: 300, shared: true },
  });
  module.export("f", module.function("f", {}, (f) => f.store(65536, f32.const(2))));
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 300, shared: true });
  const compiled = new WebAssembly.Module(module.bytes());
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
  (exports["f"] as () => void)();
  assert.equal(new Float32Array(memory.buffer)[16384], 2);
});

Deno.test("multiplyAdd() rounds twice in portable and, where detected, once in fused", () => {
  const remainder = (arithmetic: Arithmetic) => {
    const module = new ModuleBuilder({ arithmetic });
    const f = module.function("f", { x: "f32", y: "f32" }, (f, { x, y }) => {
      const factor = f32x4.splat(x);
      f.store(0, f.multiplyAdd(factor, factor, f32x4.splat(y)));
    });
    module.export("f", f);
    const { call, floats } = start(module);
    call("f", 1 + 2 ** -12, -(1 + 2 ** -11));
    return floats[0];
  };
  assert.equal(remainder("portable"), 0);
  assert.equal(remainder("fused"), detectArithmetic() === "fused" ? 2 ** -24 : 0);
});
