/** How busy the graphics cards are, told once a second by NVIDIA's own tool where it is there. */

/** The latest word of the tool. */
export interface GpuMeter {
  /** Mean over the cards, in percent; null while nothing is known. */
  percent(): number | null;
  close(): void;
}

/** Starts `nvidia-smi`; a meter that knows nothing where there is none. */
export function openGpuMeter(): GpuMeter {
  let process: Deno.ChildProcess;
  try {
    process = new Deno.Command("nvidia-smi", {
      args: ["--query-gpu=index,utilization.gpu", "--format=csv,noheader,nounits", "--loop=1"],
      stdout: "piped",
      stderr: "null",
    }).spawn();
  } catch {
    return { percent: () => null, close: () => {} };
  }
  const latest = new Map<string, number>();
  const reading = follow(process.stdout, (line) => noteUtilisation(line, latest)).catch(() => {});
  // A tool that ends, as one without its driver does, has nothing to tell any more.
  process.status.then(() => reading).then(() => latest.clear());
  return {
    percent() {
      if (latest.size === 0) return null;
      return [...latest.values()].reduce((sum, value) => sum + value, 0) / latest.size;
    },
    close() {
      try {
        process.kill();
      } catch {
        // It has ended already.
      }
    },
  };
}

/** Takes one line, such as `0, 37`, into the percentages by card. */
export function noteUtilisation(line: string, latest: Map<string, number>): void {
  const [, card, percent] = /^\s*(\d+),\s*(\d+)\s*$/.exec(line) ?? [];
  if (card !== undefined) latest.set(card, Number(percent));
}

async function follow(stream: ReadableStream<Uint8Array>, onLine: (line: string) => void) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream() as never)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  }
}
