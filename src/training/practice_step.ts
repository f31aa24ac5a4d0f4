/**
 * A small step that is compiled while the first real one is still being recorded elsewhere. The
 * engine compiles a function of ours when it is first called, which takes as long as the work of the
 * function itself, so a compiler that has done one step does the next sooner.
 */
import { loadCompiler } from "./asked_compiler.ts";
import { chosenArithmetic } from "./chosen_arithmetic.ts";
import { call } from "./step/expression.ts";
import { GraphBuilder, type Value } from "./step/graph.ts";
import type { RecordedStep } from "./step/program.ts";

const SAMPLES = 32;

/** Shape of its items. */
const SHAPE = [6, 6, 4];

/** Compiles it. */
export async function practise(): Promise<void> {
  const { settle, StepCompiler } = await loadCompiler();
  const step = practiceStep();
  const items = { type: "u8", shape: SHAPE, normalise: null } as const;
  const compiler = new StepCompiler(settle([], step), items, chosenArithmetic());
  compiler.add("train", SAMPLES, step);
  compiler.compile("train", SAMPLES, 1, {});
}

/** A convolution with what follows one in training. What it computes is of no use. */
function practiceStep(): RecordedStep {
  const graph = new GraphBuilder(false);
  const [height, width, channels] = [4, 4, 8];
  const shape = {
    ...{ inputHeight: 6, inputWidth: 6, inputChannels: 4 },
    ...{ outputHeight: height, outputWidth: width, outputChannels: channels },
    ...{ kernelHeight: 3, kernelWidth: 3, strideHeight: 1, strideWidth: 1 },
    ...{ dilationHeight: 1, dilationWidth: 1, padTop: 0, padLeft: 0 },
  };
  const image = [height, width, channels];
  const variables = [[3, 3, 4, channels], [1, 1, channels]];
  const [kernel, bias] = variables.map((dims, slot) =>
    graph.make({ kind: "variable", slot }, [], dims, false)
  ) as [Value, Value];
  const rate = graph.make({ kind: "scalar", name: "minus learning rate" }, [], [1, 1, 1, 1], false);
  const items = graph.make({ kind: "input", name: "items" }, [], SHAPE, true);
  const conv2d = { kind: "conv2d", shape, finish: {} } as const;
  const sums = graph.make({ ...conv2d, part: "forward" }, [items, kernel], image, true);
  const outputs = graph.map((a, b) => call("max", call("add", a, b), 0), [sums, bias], image);
  const slopes = graph.map((a) => call("exp", a), [outputs], image);
  const gradient = graph.make(
    { ...conv2d, part: "weightGradient" },
    [items, slopes],
    kernel.dims,
    false,
  );
  const value = graph.map(
    (of, by, rate) => call("add", of, call("mul", by, rate)),
    [kernel, gradient, rate],
    kernel.dims,
  );
  const all = { kind: "reduce", take: "sum", axes: [0, 1, 2], batch: true } as const;
  const loss = graph.reshape(graph.make(all, [slopes], [1, 1, 1], false), []);
  const updates = [{ slot: 0, value }];
  return {
    graph: { samples: SAMPLES, loss, outputs, updates },
    ...{ variables, anchors: [], scalars: [] },
  };
}
