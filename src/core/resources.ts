/** What a process uses of its machine, measured once a second, and the sums of it. */

/** One measurement; null where the system does not tell. */
export interface ResourceSample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Of one core since the sample before: 200 is two cores busy. */
  readonly cpuPercent: number;
  /** Resident memory. */
  readonly rssBytes: number;
  readonly virtualBytes: number | null;
  readonly swapBytes: number | null;
  readonly threads: number | null;
  /** Since the sample before: of the whole machine, as systems do not count it by process. */
  readonly netReceivedBytes: number | null;
  readonly netSentBytes: number | null;
  /** Since the sample before: what the process caused to be read from and written to disks. */
  readonly diskReadBytes: number | null;
  readonly diskWrittenBytes: number | null;
  /** Mean over the cards. */
  readonly gpuPercent: number | null;
}

/** Mean and greatest of a quantity. */
export interface Level {
  readonly mean: number;
  readonly most: number;
}

/** Samples in short, for `results.json`; null where no sample has the quantity. */
export interface ResourceSummary {
  readonly samples: number;
  readonly cpu_percent: Level | null;
  readonly rss_bytes: Level | null;
  readonly threads: Level | null;
  readonly gpu_percent: Level | null;
  readonly net_received_bytes: number | null;
  readonly net_sent_bytes: number | null;
  readonly disk_read_bytes: number | null;
  readonly disk_written_bytes: number | null;
}

/** Sums up samples; null if there are none. */
export function summariseResources(samples: readonly ResourceSample[]): ResourceSummary | null {
  if (samples.length === 0) return null;
  const known = (of: (sample: ResourceSample) => number | null) =>
    samples.map(of).filter((value) => value !== null);
  const level = (of: (sample: ResourceSample) => number | null): Level | null => {
    const values = known(of);
    if (values.length === 0) return null;
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return { mean, most: values.reduce((most, value) => Math.max(most, value)) };
  };
  const total = (of: (sample: ResourceSample) => number | null) => {
    const values = known(of);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
  };
  return {
    samples: samples.length,
    cpu_percent: level(({ cpuPercent }) => cpuPercent),
    rss_bytes: level(({ rssBytes }) => rssBytes),
    threads: level(({ threads }) => threads),
    gpu_percent: level(({ gpuPercent }) => gpuPercent),
    net_received_bytes: total(({ netReceivedBytes }) => netReceivedBytes),
    net_sent_bytes: total(({ netSentBytes }) => netSentBytes),
    disk_read_bytes: total(({ diskReadBytes }) => diskReadBytes),
    disk_written_bytes: total(({ diskWrittenBytes }) => diskWrittenBytes),
  };
}
