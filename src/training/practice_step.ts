/**
 * A small step that is compiled while the first real one is still being recorded elsewhere. The
 * engine compiles a function of ours when it is first called, which takes as long as the work of the
 * function itself, so a compiler that has done one step does the next sooner.
 */
import { loadCompiler } from "./asked_compiler.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { call } from "./step/expression.ts";
import { GraphBuilder, type Operation, type Part, sizeOf, type Value } from "./step/graph.ts";
import type { RecordedStep } from "./step/program.ts";

const SAMPLES = 32;

/** Shape of its items: its convolution is large enough for panels, and they are small. */
const SHAPE = [12, 12, 4];
const CHANNELS = 16, UNITS = 12;

/** Compiles it. */
export async function practise(): Promise<void> {
  const { settle, StepCompiler } = await loadCompiler();
  const step = practiceStep();
  const items = { type: "u8", shape: SHAPE, normalise: null } as const;
  const compiler = new StepCompiler(settle([], step), items, chosenArithmetic());
  compiler.add("train", SAMPLES, step);
  compiler.compile("train", SAMPLES, 1, {});
}

/** A convolution, a pooling and a dense layer with their gradients. What they compute is of no use. */
function practiceStep(): RecordedStep {
  const graph = new GraphBuilder(false);
  const [height, width, channels] = SHAPE as [number, number, number];
  const image = [height, width, CHANNELS], pooled = [height / 2, width / 2, CHANNELS];
  const inputs = { inputHeight: height, inputWidth: width, inputChannels: channels };
  const results = { outputHeight: height, outputWidth: width, outputChannels: CHANNELS };
  const every = { strideHeight: 1, strideWidth: 1, dilationHeight: 1, dilationWidth: 1 };
  const filters = { ...inputs, ...results, ...every, padTop: 1, padLeft: 1 };
  const conv2d = (part: Part): Operation => ({
    ...{ kind: "conv2d", part, finish: {} },
    shape: { ...filters, kernelHeight: 3, kernelWidth: 3 },
  });
  const dense = (part: Part): Operation => ({ kind: "dense", part, finish: {} });
  const pooling = {
    take: "max",
    shape: {
      ...{ ...filters, inputChannels: CHANNELS, padTop: 0, padLeft: 0 },
      ...{ outputHeight: height / 2, outputWidth: width / 2 },
      ...{ kernelHeight: 2, kernelWidth: 2, strideHeight: 2, strideWidth: 2 },
    },
  } as const;
  const variables = [[3, 3, channels, CHANNELS], [1, 1, CHANNELS], [sizeOf(pooled), UNITS]];
  const [kernel, bias, weights] = variables.map((dims, slot) =>
    graph.make({ kind: "variable", slot }, [], dims, false)
  ) as [Value, Value, Value];
  const rate = graph.make({ kind: "scalar", name: "minus learning rate" }, [], [1, 1, 1, 1], false);

  const items = graph.make({ kind: "input", name: "items" }, [], SHAPE, true);
  const sums = graph.make(conv2d("forward"), [items, kernel], image, true);
  const filtered = graph.map((a, b) => call("max", call("add", a, b), 0), [sums, bias], image);
  const shrunk = graph.make({ kind: "pool", ...pooling }, [filtered], pooled, true);
  const flat = graph.reshape(shrunk, [sizeOf(pooled)]);
  const outputs = graph.make(dense("forward"), [flat, weights], [UNITS], true);

  const slopes = graph.map((a) => call("exp", a), [outputs], [UNITS]);
  const back = graph.make(dense("inputGradient"), [slopes, weights], flat.dims, true);
  const spread = graph.make(
    { kind: "poolGradient", positive: true, ...pooling },
    [graph.reshape(back, pooled), filtered],
    image,
    true,
  );
  const total = (value: Value) => {
    const axes = value.dims.map((_, axis) => axis);
    const ones = value.dims.map(() => 1);
    const all = { kind: "reduce", take: "sum", axes, batch: true } as const;
    return graph.reshape(graph.make(all, [value], ones, false), []);
  };
  const first = graph.make(conv2d("inputGradient"), [spread, kernel], SHAPE, true);
  const loss = graph.map((a, b) => call("add", a, b), [total(first), total(slopes)], []);
  const gradients = [
    graph.make(conv2d("weightGradient"), [items, spread], kernel.dims, false),
    graph.make(dense("weightGradient"), [flat, slopes], weights.dims, false),
  ];
  const updates = [kernel, weights].map((variable, i) => ({
    slot: i * 2,
    value: graph.map(
      (of, by, rate) => call("add", of, call("mul", by, rate)),
      [variable, gradients[i]!, graph.reshape(rate, variable.dims.map(() => 1))],
      variable.dims,
    ),
  }));
  return {
    graph: { samples: SAMPLES, loss, outputs, updates },
    ...{ variables, anchors: [], scalars: [] },
  };
}
