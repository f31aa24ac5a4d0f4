/** Reads what Linux tells of a process and its machine in `/proc`. Pure: text in, numbers out. */

/** Bytes since the process or the machine started; null where the text does not tell. */
export interface Counters {
  readonly netReceived: number | null;
  readonly netSent: number | null;
  readonly diskRead: number | null;
  readonly diskWritten: number | null;
}

/** Threads and memory of `/proc/self/status`. */
export function parseStatus(status: string) {
  const kilobytes = (key: string) => {
    const value = number(status, new RegExp(`^${key}:\\s+(\\d+) kB`, "m"));
    return value === null ? null : value * 1024;
  };
  return {
    threads: number(status, /^Threads:\s+(\d+)/m),
    virtualBytes: kilobytes("VmSize"),
    swapBytes: kilobytes("VmSwap"),
  };
}

/** Bytes that reached or left the disks, of `/proc/self/io`. */
export function parseIo(io: string): Pick<Counters, "diskRead" | "diskWritten"> {
  return {
    diskRead: number(io, /^read_bytes: (\d+)/m),
    diskWritten: number(io, /^write_bytes: (\d+)/m),
  };
}

/** Bytes over all interfaces, of `/proc/self/net/dev`. */
export function parseNetDev(dev: string): Pick<Counters, "netReceived" | "netSent"> {
  let [netReceived, netSent, found] = [0, 0, false];
  for (const line of dev.split("\n")) {
    const [, name, values] = /^\s*([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const numbers = values!.split(/\s+/).map(Number);
    netReceived += numbers[0] ?? 0;
    netSent += numbers[8] ?? 0;
    found = true;
  }
  return found ? { netReceived, netSent } : { netReceived: null, netSent: null };
}

function number(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}
