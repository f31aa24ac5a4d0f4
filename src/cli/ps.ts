/** `flotilla ps`: the runs that a server knows. */
import type { Command } from "commander";
import { examples } from "./command.ts";
import { endpointOption, jsonOption } from "./flags.ts";
import { LeaderApi, type SessionRow } from "./leader_api.ts";
import { standardOutput } from "./output.ts";
import { printable } from "./printable.ts";
import { printRows } from "./print_rows.ts";
import { percentText, secondsText } from "./quantities.ts";
import type { Column } from "./table.ts";

interface PsFlags {
  readonly federatedServerEndpoint: string;
  readonly json?: boolean;
}

const COLUMNS: readonly Column[] = [
  { title: "ID" },
  { title: "STATUS" },
  { title: "ROUNDS", align: "right" },
  { title: "ACCURACY", align: "right", dropped: 3 },
  { title: "MODEL", dropped: 2 },
  { title: "SUBMITTED", dropped: 1 },
  { title: "TIME", align: "right", dropped: 4 },
];

/** A run whose journal the leader cannot read. */
interface UnreadableRow {
  readonly session_id: string;
  readonly status: "unreadable";
  readonly reason: string;
}

/** Shown if any run is a fork. */
const FORK_OF: Column = { title: "FORK OF", dropped: 5 };

/** Adds flags and the action. */
export function define(command: Command): void {
  command
    .addOption(endpointOption())
    .addOption(jsonOption())
    .addHelpText("after", examples("flotilla ps", "flotilla ps --json | jq .session_id"))
    .action(async (flags: PsFlags) => {
      const { sessions: runs, unreadable } = await new LeaderApi(flags.federatedServerEndpoint)
        .sessionList();
      const now = Date.now();
      const hasForks = runs.some(({ parent }) => parent !== null);
      const columns = hasForks ? [...COLUMNS, FORK_OF] : COLUMNS;
      const rows: (SessionRow | UnreadableRow)[] = [
        ...runs,
        ...unreadable.map((row) => ({ ...row, status: "unreadable" as const })),
      ];
      const cells = (run: SessionRow | UnreadableRow) =>
        run.status === "unreadable"
          ? [run.session_id, run.status, ...columns.slice(2).map(() => "-")]
          : [...cellsOf(run, now), ...(hasForks ? [parentText(run)] : [])];
      printRows(columns, rows, cells, {
        json: flags.json ?? false,
        none: `no runs yet: submit one with "flotilla session config.yaml"`,
      });
      if (flags.json) return;
      for (const { session_id, reason } of unreadable) {
        standardOutput.write(`${session_id} cannot be read: ${printable(reason)}\n`);
      }
    });
}

function parentText({ parent }: SessionRow): string {
  return parent === null ? "-" : `${parent.session_id.slice(0, 8)} round ${parent.round}`;
}

/** Of rounds that ended without new weights: `, 1 given up`; empty if there are none. */
export function givenUpText(
  { rounds_given_up: count }: Pick<SessionRow, "rounds_given_up">,
): string {
  return count === 0 ? "" : `, ${count} given up`;
}

/**
 * The cells of one run.
 *
 * @param now wall-clock milliseconds, for the time that a run has taken so far
 */
export function cellsOf(run: SessionRow, now: number): string[] {
  const from = run.started_at === null ? null : Date.parse(run.started_at);
  const to = run.ended_at === null ? now : Date.parse(run.ended_at);
  return [
    run.session_id,
    run.status,
    `${run.rounds_finished}/${run.rounds_total}${givenUpText(run)}`,
    percentText(run.validation?.accuracy),
    run.model_id,
    run.submitted_at.slice(0, 19).replace("T", " "),
    from === null ? "-" : secondsText(Math.max(0, to - from) / 1000),
  ];
}
