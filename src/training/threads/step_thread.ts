/**
 * A worker that computes its part of compiled steps: it waits for commands in shared memory, and
 * never returns to its event loop after it has started.
 */
import {
  Barriers,
  COMMANDS,
  CONTROL,
  type Control,
  type EndFlag,
  fail,
  waitUntil,
} from "./barrier.ts";
import { phaseName } from "./phase_name.ts";

/** What a thread starts with. */
export interface ThreadStart {
  readonly memory: WebAssembly.Memory;
  readonly control: Control;
  /** Its number, from 1: 0 is who gives the commands. */
  readonly thread: number;
  /** Commands that were given before it started. */
  readonly commands: number;
  /** A worker does not end with the one that started it, so it looks here now and then. */
  readonly ended: EndFlag;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<ThreadStart>) => void;
  close(): void;
};
scope.onmessage = ({ data }) => {
  try {
    serve(data);
  } catch (error) {
    fail(data.control, data.thread, error instanceof Error ? error.message : String(error));
  } finally {
    scope.close();
  }
};

function serve({ memory, control, thread, commands, ended }: ThreadStart): never {
  const plans = new Map<number, readonly (() => void)[]>();
  for (let next = commands + 1;; next = (next + 1) | 0) {
    waitUntil(control, CONTROL.commands, next, { ended });
    const threads = control[CONTROL.threads]!;
    if (thread >= threads) continue;
    const barriers = new Barriers(control, threads, control[CONTROL.base]!, { ended });
    const plan = control[CONTROL.plan]!;
    if (control[CONTROL.command] === COMMANDS.load) {
      plans.set(plan, load(memory, control, thread));
      barriers.pass();
      continue;
    }
    for (const phase of plans.get(plan)!) {
      phase();
      barriers.pass();
    }
  }
}

function load(memory: WebAssembly.Memory, control: Control, thread: number): (() => void)[] {
  // The memory may have grown elsewhere: growing it by nothing renews what JavaScript sees of it.
  memory.grow(0);
  const start = control[CONTROL.codeAddress]!;
  const code = new Uint8Array(memory.buffer, start, control[CONTROL.codeBytes]!).slice();
  const module = new WebAssembly.Module(code as Uint8Array<ArrayBuffer>);
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  return Array.from(
    { length: control[CONTROL.phases]! },
    (_, phase) => exports[phaseName(phase, thread)] as () => void,
  );
}
