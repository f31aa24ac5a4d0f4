/**
 * Runs the test files that tfjs publishes with its core: a small part of Jasmine's interface, which
 * collects their tests instead of running them.
 */
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";
import { dirname, join } from "node:path";
import * as core from "@tensorflow/tfjs-core";

/** A test as collected: its full name and its code. */
export interface PublishedTest {
  readonly name: string;
  readonly run: () => Promise<void>;
}

type Body = () => unknown;

const OPS = join(
  dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-core")),
  "ops",
);

/** All test files of the folder, with `/` in their names. */
export function publishedFiles(): string[] {
  return [...Deno.readDirSync(OPS)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? [...Deno.readDirSync(join(OPS, name))].map((inner) => `${name}/${inner.name}`)
      : [name]
  ).filter((name) => name.endsWith("_test.js")).sort();
}

/** The code of a file of tfjs's `ops` folder, whose imports shall come from where it is called. */
async function codeOf(file: string): Promise<string> {
  const text = await Deno.readTextFile(join(OPS, file));
  return text.replaceAll(/^(import .*|export (?=const|function))/gm, "");
}

/** The tests of a file of tfjs's `ops` folder, such as "conv2d_test.js". */
export async function publishedTests(file: string): Promise<PublishedTest[]> {
  const collected: PublishedTest[] = [];
  let path: string[] = [];
  let before: Body[] = [];
  const group = (name: string, body: () => void) => {
    const outer = { path, before };
    path = [...path, name];
    before = [...before];
    body();
    ({ path, before } = outer);
  };
  const scope: Readonly<Record<string, unknown>> = {
    ...core.util,
    ...core.backend_util,
    ...core.test_util,
    ...core,
    tf: core,
    reduce_util: core.backend_util,
    ALL_ENVS: true,
    SYNC_BACKEND_ENVS: true,
    BROWSER_ENVS: false,
    NODE_ENVS: false,
    describe: group,
    describeWithFlags(name: string, wanted: boolean, body: (on: unknown) => void) {
      if (wanted) group(name, () => body({ backendName: core.getBackend() }));
    },
    jasmine: {},
    beforeEach: (body: Body) => before.push(body),
    afterAll() {},
    beforeAll: (body: Body) => before.push(body),
    it(name: string, body: Body) {
      const first = before;
      const run = () => inScope([...first, body]);
      collected.push({ name: [...path, name].join(" "), run });
    },
    expect,
  };
  // Pools share some tests, which are a function in a file of their own.
  const code = `${await codeOf("identity_pool_test.js")}\n{${await codeOf(file)}\n}`;
  // "default" and "module.exports" among them are no names.
  const names = Object.keys(scope).filter((name) => !/^default$|\./.test(name));
  new Function(...names, code)(...names.map((name) => scope[name]));
  return collected;
}

/** Runs what a test needs before it and the test, and frees all that they made. */
async function inScope(bodies: readonly Body[]): Promise<void> {
  core.engine().startScope();
  try {
    for (const body of bodies) await body();
  } finally {
    core.engine().endScope();
    core.disposeVariables();
  }
}

/** What these files ask of a value. */
function expect(actual: unknown) {
  const check = (holds: boolean, what: string, expected?: unknown) => {
    if (!holds) {
      throw new Error(`expected ${Deno.inspect(actual)} ${what} ${Deno.inspect(expected)}`);
    }
  };
  const thrown = (): Error | null => {
    try {
      (actual as () => void)();
      return null;
    } catch (error) {
      return error as Error;
    }
  };
  const isLike = (expected: unknown) => isDeepStrictEqual(actual, expected);
  return {
    nothing() {},
    toBe: (expected: unknown) => check(Object.is(actual, expected), "to be", expected),
    toEqual: (expected: unknown) => check(isLike(expected), "to equal", expected),
    toBeTruthy: () => check(Boolean(actual), "to be true"),
    toBeFalsy: () => check(!actual, "to be false"),
    toBeNull: () => check(actual === null, "to be null"),
    toBeDefined: () => check(actual !== undefined, "to be defined"),
    toBeLessThan: (limit: number) => check(Number(actual) < limit, "to be below", limit),
    toBeGreaterThan: (limit: number) => check(Number(actual) > limit, "to be above", limit),
    toBeLessThanOrEqual: (limit: number) => check(Number(actual) <= limit, "to be at most", limit),
    toBeGreaterThanOrEqual: (limit: number) =>
      check(Number(actual) >= limit, "to be at least", limit),
    toBeCloseTo(expected: number, digits = 2) {
      const near = Math.abs(Number(actual) - expected) < 10 ** -digits / 2;
      check(near, "to be close to", expected);
    },
    toMatch: (pattern: RegExp) => check(pattern.test(String(actual)), "to match", pattern),
    toThrow: () => check(thrown() !== null, "to throw"),
    toThrowError(expected?: string | RegExp) {
      const error = thrown();
      const fits = expected === undefined ||
        (typeof expected === "string"
          ? error?.message === expected
          : expected.test(error?.message ?? ""));
      check(error !== null && fits, `(${error?.message}) to throw`, expected);
    },
    not: {
      toThrow: () => check(thrown() === null, "not to throw"),
      toThrowError: () => check(thrown() === null, "not to throw"),
      toBe: (other: unknown) => check(!Object.is(actual, other), "not to be", other),
      toEqual: (other: unknown) => check(!isLike(other), "not to equal", other),
    },
  };
}
