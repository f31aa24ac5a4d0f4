/** A run as plain lines, one an event, for logs, pipes and terminals that cannot redraw. */
import type { SessionEntry, SessionEvent, StreamItem } from "../session/events.ts";
import { roundsOver } from "../session/state.ts";
import { printable } from "./printable.ts";
import { bytesText, countText, lossText, percentText, secondsText } from "./quantities.ts";
import type { RunProgress } from "./run_progress.ts";

/**
 * The lines that tell of one item.
 *
 * @param before what was known before it, for what only a change makes worth telling
 * @param after what is known with it
 */
export function linesOf(before: RunProgress, item: StreamItem, after: RunProgress): string[] {
  if (item.kind === "note") {
    const { waiting } = after;
    if (item.note.type === "paused") return [`paused: ${printable(item.note.reason)}`];
    if (item.note.type === "resumed") return [`goes on after ${secondsText(item.note.seconds)}`];
    // Progress of single batches would drown the rest.
    if (item.note.type !== "waiting_for_clients" || waiting === null) return [];
    if (waiting.present === before.waiting?.present) return [];
    return [`waiting for clients: ${waiting.present} of ${waiting.needed} are there`];
  }
  return eventLines(item.entry.event, after).map(printable);
}

/** An entry's line with its time of day in front, as `flotilla logs` prints it. */
export function stamped({ at }: SessionEntry, line: string): string {
  return `${new Date(at).toISOString()} ${line}`;
}

/** How a run goes on that had ended, by the number of rounds that it has. */
const CONTINUED = {
  restore: (rounds: number) => `restored: goes on after round ${rounds} with the same clients`,
  revive: (rounds: number) =>
    `revived: goes on after round ${rounds} with the clients that are there`,
  fork: (rounds: number) => `forked: goes on after round ${rounds}`,
} as const;

function eventLines(event: SessionEvent, { state }: RunProgress): string[] {
  const total = state?.config.server_training_config.num_training_rounds;
  const round = "round" in event ? `round ${event.round}/${total}` : "";
  switch (event.type) {
    case "session_submitted":
      return [
        `submitted: model ${event.model.id}, ${total} rounds, seed ${event.seed}` +
        (event.parent === undefined
          ? ""
          : `, a fork of ${event.parent.session} after round ${event.parent.round}`),
      ];
    case "session_started":
      return [`started: ${countText(event.parameters)} parameters`];
    case "client_benchmarked":
      return [
        `${event.client.name} ` +
        (event.benchmark === null
          ? `could not be measured: ${event.reason}`
          : `measured: ${event.benchmark.miniBatches} mini-batches in ` +
            secondsText(event.benchmark.seconds)),
      ];
    case "clients_validated":
      return event.results.map(({ client, evaluation, reason }) =>
        `${round} ${client.name} ` +
        (evaluation === null
          ? `did not validate: ${reason}`
          : `validated: loss ${lossText(evaluation.loss)}, accuracy ${
            percentText(evaluation.accuracy)
          }`)
      );
    case "round_started":
    case "clients_added":
      return [
        ...event.replaced.map(({ client, reason, by }) =>
          `${round} ${client.name} did not answer (${reason}): ` +
          (by === null ? "nobody is left to replace it" : `${by.name} takes its place`)
        ),
        `${round} ${event.type === "round_started" ? "started" : "goes on with"}: ` +
        (event.selected.map(({ name }) => name).join(", ") || "with those at work"),
      ];
    case "update_received": {
      const { loss, accuracy, test } = event.metrics;
      const tested = test === null ? [] : [`test accuracy ${percentText(test.accuracy)}`];
      return [
        `${round} ${event.client.name}: ` + [
          `${countText(event.samples)} samples`,
          `loss ${lossText(loss)}`,
          `accuracy ${percentText(accuracy)}`,
          ...tested,
          secondsText(event.seconds),
          `${bytesText(event.bytesDown)} down`,
          `${bytesText(event.bytesUp)} up`,
        ].join(", "),
      ];
    }
    case "client_failed":
      return [`${round} ${event.client.name} failed: ${event.reason}`];
    case "round_finished": {
      const { loss, accuracy } = event.metrics;
      return [
        `${round} finished: loss ${lossText(loss)}, accuracy ${percentText(accuracy)}, ` +
        secondsText(event.seconds),
      ];
    }
    case "round_given_up":
      return [
        `${round} given up: ${event.reason}, the global weights stay as they are; ` +
        secondsText(event.seconds),
      ];
    case "round_validated": {
      const { loss, accuracy } = event.validation;
      return [`${round} validated: loss ${lossText(loss)}, accuracy ${percentText(accuracy)}`];
    }
    case "session_finished":
      return ["finished"];
    case "session_failed":
      return [`failed: ${event.reason}`];
    case "session_stopped":
      return [`stopped: ${event.reason}`];
    case "session_continued":
      return [CONTINUED[event.how](roundsOver(state!))];
  }
}
