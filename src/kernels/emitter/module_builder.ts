/** Builds a WebAssembly module: one imported memory, functions, exports, names for profiles. */
import {
  type Arithmetic,
  bytesIn,
  FunctionBuilder,
  type FunctionHandle,
} from "./function_builder.ts";
import { unsignedLeb } from "./leb128.ts";
import { type Local, type Value, type ValueType, valueTypes } from "./value.ts";

/** The memory that the module imports as `env.memory`, in pages of 64 KiB. */
export interface MemoryImport {
  /** @default 1 */
  readonly minimumPages?: number;
  /** Needed for a shared memory. */
  readonly maximumPages?: number;
  /** Whether threads share it. @default false */
  readonly shared?: boolean;
}

export interface ModuleOptions {
  readonly arithmetic: Arithmetic;
  readonly memory?: MemoryImport;
}

/** Types of parameters by name, in order. */
export type Parameters = Readonly<Record<string, ValueType>>;

/** What was added to a module so far. */
class Content {
  readonly types: string[] = [];
  readonly functions: {
    handle: FunctionHandle;
    type: number;
    body: readonly (readonly number[])[];
  }[] = [];
  readonly exports: { name: string; index: number }[] = [];
  readonly cache = new Map<string, unknown>();
  minimumPages: number;

  constructor(readonly memory: MemoryImport) {
    this.minimumPages = memory.minimumPages ?? 1;
  }
}

export class ModuleBuilder {
  readonly arithmetic: Arithmetic;
  /** Where functions that are added from here on keep what they work on, if they may. */
  readonly workbench: number | undefined;
  /** Whether the engine makes 256-bit instructions of pairs of vectors there. */
  readonly isWide: boolean;
  readonly #content: Content;

  constructor(
    { arithmetic, memory = {} }: ModuleOptions,
    content = new Content(memory),
    workbench?: number,
    isWide = false,
  ) {
    this.arithmetic = arithmetic;
    this.workbench = workbench;
    this.isWide = isWide;
    this.#content = content;
    if (memory.shared === true && memory.maximumPages === undefined) {
      throw new RangeError("Cannot import a shared memory without maximumPages: set it");
    }
  }

  /**
   * The same module, for functions that may keep what they work on at a constant address: V8 does
   * not check each access to one that the declared memory has for certain.
   *
   * @param address of so many `bytes`, which no one else uses while such a function runs
   * @param isWide whether it joins pairs of vectors there
   */
  withWorkbench(address: number, bytes: number, isWide: boolean): ModuleBuilder {
    const content = this.#content;
    content.minimumPages = Math.max(content.minimumPages, Math.ceil((address + bytes) / 65536));
    return new ModuleBuilder({ arithmetic: this.arithmetic }, content, address, isWide);
  }

  /** Adds a function. What `build` returns is the function's result; nothing if it has none. */
  function<P extends Parameters, R extends ValueType = never>(
    name: string,
    parameters: P,
    build: (f: FunctionBuilder, args: { [K in keyof P]: Local<P[K]> }) => Value<R> | void,
  ): FunctionHandle & { readonly result: R } {
    const params = Object.values(parameters);
    const f = new FunctionBuilder(this.arithmetic, params);
    const args = Object.fromEntries(
      Object.keys(parameters).map((key, i) => [key, f.arguments[i]]),
    ) as { [K in keyof P]: Local<P[K]> };
    const result = build(f, args) ?? undefined;
    // Functions made while the body was built come first: a body can only call what exists.
    const handle = {
      index: this.#content.functions.length,
      name,
      params,
      result: result?.type as R,
    };
    const type = this.#typeIndex(params, result?.type);
    this.#content.functions.push({ handle, type, body: f.finish(result) });
    return handle;
  }

  /** What was made under a key before, or what `make` makes now: equal shapes share a function. */
  cached<T>(key: string, make: () => T): T {
    if (!this.#content.cache.has(key)) this.#content.cache.set(key, make());
    return this.#content.cache.get(key) as T;
  }

  export(name: string, handle: FunctionHandle): void {
    if (this.#content.exports.some((other) => other.name === name)) {
      throw new Error(`Cannot export "${name}" twice: choose another name`);
    }
    this.#content.exports.push({ name, index: handle.index });
  }

  /** The binary module. */
  bytes(): Uint8Array<ArrayBuffer> {
    const functions = this.#content.functions;
    const codeCount = unsignedLeb(functions.length);
    const code = functions.flatMap(({ body }) => body);
    const parts: ArrayLike<number>[] = [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, list(this.#content.types.map((type) => type.split(",").map(Number)))),
      section(2, list([[...text("env"), ...text("memory"), 0x02, ...this.#limits()]])),
      section(3, list(functions.map(({ type }) => unsignedLeb(type)))),
      section(
        7,
        list(
          this.#content.exports.map((
            { name, index },
          ) => [...text(name), 0x00, ...unsignedLeb(index)]),
        ),
      ),
      [10, ...unsignedLeb(codeCount.length + bytesIn(code)), ...codeCount],
      ...code,
      section(0, [...text("name"), ...section(1, this.#names())]),
    ];
    const bytes = new Uint8Array(bytesIn(parts));
    let at = 0;
    for (let i = 0; i < parts.length; i++) {
      bytes.set(parts[i]!, at);
      at += parts[i]!.length;
    }
    return bytes;
  }

  #typeIndex(params: readonly ValueType[], result: ValueType | undefined): number {
    const codes = params.map((type) => valueTypes[type]);
    const results = result === undefined ? [0] : [1, valueTypes[result]];
    const type = [0x60, ...unsignedLeb(params.length), ...codes, ...results].join();
    const known = this.#content.types.indexOf(type);
    return known >= 0 ? known : this.#content.types.push(type) - 1;
  }

  #limits(): number[] {
    const { minimumPages, memory: { maximumPages, shared = false } } = this.#content;
    if (maximumPages === undefined) return [0x00, ...unsignedLeb(minimumPages)];
    return [shared ? 0x03 : 0x01, ...unsignedLeb(minimumPages), ...unsignedLeb(maximumPages)];
  }

  #names(): number[] {
    return list(
      this.#content.functions.map((
        { handle },
      ) => [...unsignedLeb(handle.index), ...text(handle.name)]),
    );
  }
}

function section(id: number, content: number[]): number[] {
  return [id, ...unsignedLeb(content.length), ...content];
}

function list(items: readonly number[][]): number[] {
  return [...unsignedLeb(items.length), ...items.flat()];
}

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...unsignedLeb(bytes.length), ...bytes];
}
