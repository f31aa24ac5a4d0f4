/** Plain twins of the pooling kernels: [height][width][channels][batch]. */
import { conv2dAxes } from "../conv2d_shape.ts";
import type { PoolShape } from "../pool.ts";

type Floats = Float32Array | Float64Array;

/** Calls `visit` for each number of the output, with the places of the inputs in its window. */
function eachWindow(shape: PoolShape, visit: (y: number, inputs: number[]) => void): void {
  const { rows, columns } = conv2dAxes(shape);
  const channels = shape.inputChannels * shape.batch;
  for (let oy = 0; oy < rows.output; oy++) {
    for (let ox = 0; ox < columns.output; ox++) {
      for (let c = 0; c < channels; c++) {
        const inputs: number[] = [];
        for (let ky = 0; ky < rows.kernel; ky++) {
          const iy = oy * rows.stride - rows.pad + ky * rows.dilation;
          if (iy < 0 || iy >= rows.input) continue;
          for (let kx = 0; kx < columns.kernel; kx++) {
            const ix = ox * columns.stride - columns.pad + kx * columns.dilation;
            if (ix < 0 || ix >= columns.input) continue;
            inputs.push((iy * columns.input + ix) * channels + c);
          }
        }
        visit((oy * columns.output + ox) * channels + c, inputs);
      }
    }
  }
}

/** As `poolForward`; changes `y`. */
export function referencePoolForward(shape: PoolShape, x: Floats, y: Floats): void {
  eachWindow(shape, (at, inputs) => {
    const numbers = inputs.map((i) => x[i]!);
    if (numbers.length === 0) y[at] = 0;
    else if (shape.take === "max") y[at] = Math.max(...numbers);
    else y[at] = numbers.reduce((a, b) => a + b) / numbers.length;
  });
}

/** As `poolGradient`; changes `dx`. */
export function referencePoolGradient(
  shape: PoolShape,
  positive: boolean,
  dy: Floats,
  x: Floats,
  dx: Floats,
): void {
  dx.fill(0);
  eachWindow(shape, (at, inputs) => {
    if (shape.take === "average") {
      const share = dy[at]! / (shape.kernelHeight * shape.kernelWidth);
      for (const i of inputs) dx[i]! += share;
      return;
    }
    const most = Math.max(...inputs.map((i) => x[i]!));
    const winner = inputs.find((i) => x[i] === most);
    if (winner !== undefined && (!positive || most > 0)) dx[winner]! += dy[at]!;
  });
}
