/**
 * How fast this machine trains now. Bars in seconds are for a certain machine, undisturbed; what takes
 * its time by training is also compared with them as if PyTorch trained as fast as it did there.
 */
import { torchNumber } from "./peers/torch.ts";

/** Samples of LeNet5 a second that PyTorch trains on one thread of that machine. */
const RATE_OF_BARS = 10_400;

/** 1 if as fast; null where there is no PyTorch. @param processes that are busy at once */
export async function hostSpeed(processes: number): Promise<number | null> {
  const rate = await torchNumber("torch_lenet5.py", processes);
  return rate === null ? null : rate / RATE_OF_BARS;
}
