import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClientRef } from "../../src/core/ids.ts";
import { isTerminal, type SessionEntry, type SessionEvent } from "../../src/session/events.ts";
import { fold, openRound, reduce, roundsOver, type SessionState } from "../../src/session/state.ts";
import {
  ANNA,
  BERT,
  CARL,
  CONFIG,
  failedRun,
  finishedRun,
  hash,
  journal,
  roundFinished,
  roundStarted,
  SESSION,
  START,
  started,
  submitted,
  update,
  validated,
} from "../fixtures/recorded_run.ts";

/** The state after these events. */
function after(...events: SessionEvent[]): SessionState {
  return fold(journal(events))!;
}

/** What the last event has changed, by key. */
function changedBy(...events: SessionEvent[]): Partial<SessionState> {
  const before = after(...events.slice(0, -1));
  const next = reduce(before, journal(events).at(-1)!);
  const changes = Object.entries(next).filter(([key, value]) => {
    return value !== before[key as keyof SessionState];
  });
  return Object.fromEntries(changes);
}

const failure: SessionEvent = { type: "client_failed", round: 1, client: BERT, reason: "gone" };

const GIVEN_UP: SessionEvent = {
  type: "round_given_up",
  round: 1,
  reason: "1 updates as min_updates is 2",
  seconds: 2,
};

Deno.test("reduce() begins with a queued session", () => {
  assert.deepEqual(after(submitted), {
    id: SESSION,
    config: CONFIG,
    seed: 42,
    model: { id: "MLP", hash: hash(9), blob: hash(8) },
    strategies: null,
    status: "queued",
    reason: null,
    submittedAt: START,
    startedAt: null,
    endedAt: null,
    weights: null,
    parameters: null,
    parent: null,
    continued: null,
    rounds: [],
    inFlight: {},
    pending: [],
    selectorState: null,
    aggregatorState: null,
    kept: {},
    clients: {},
    validatedFor: 0,
    seq: 1,
  });
});

Deno.test("reduce() runs a started session from its initial weights", () => {
  assert.deepEqual(changedBy(submitted, started), {
    status: "running",
    startedAt: START + 500,
    weights: hash(0),
    parameters: 101_770,
    seq: 2,
  });
});

Deno.test("reduce() opens a round in which everybody selected owes an answer", () => {
  const replaced = [{ client: CARL, reason: "silent", by: BERT }];
  const event = { ...roundStarted(1), replaced, selectorState: { drawn: 2 } } as SessionEvent;
  assert.deepEqual(changedBy(submitted, started, event), {
    rounds: [{
      round: 1,
      seed: 8,
      startedAt: START + 1000,
      startWeights: hash(0),
      selected: [ANNA, BERT],
      replaced,
      spares: [],
      updates: [],
      failures: [],
      finished: null,
      givenUp: null,
      validation: null,
    }],
    inFlight: {
      [ANNA.id]: { client: ANNA, round: 1, group: null },
      [BERT.id]: { client: BERT, round: 1, group: null },
    },
    selectorState: { drawn: 2 },
    seq: 3,
  });
});

Deno.test("reduce() keeps an update for aggregation and no longer waits for its client", () => {
  const event = update(1, ANNA, 6000, 0.9, 0.75);
  const changed = changedBy(submitted, started, roundStarted(1), event);
  assert.deepEqual(changed.pending, [event]);
  assert.deepEqual(changed.inFlight, { [BERT.id]: { client: BERT, round: 1, group: null } });
  assert.deepEqual(changed.rounds!.at(-1)!.updates, [event]);
  assert.deepEqual(changed.clients![ANNA.id]!.lastRound, 1);
  assert.deepEqual(Object.keys(changed).sort(), [
    "clients",
    "inFlight",
    "pending",
    "rounds",
    "seq",
  ]);
});

Deno.test("reduce() records a failure and no longer waits for its client", () => {
  const changed = changedBy(submitted, started, roundStarted(1), failure);
  assert.deepEqual(changed.inFlight, { [ANNA.id]: { client: ANNA, round: 1, group: null } });
  assert.deepEqual(changed.rounds!.at(-1)!.failures, [failure]);
  assert.deepEqual(changed.clients![BERT.id]!.failedLast, true);
  assert.deepEqual(Object.keys(changed).sort(), ["clients", "inFlight", "rounds", "seq"]);
});

Deno.test("reduce() closes a round: new weights, nothing pending", () => {
  const events = [submitted, started, roundStarted(1), update(1, ANNA, 1, 0.9, 0.75), failure];
  const finished = { ...roundFinished(1, 0.9, 0.75), aggregatorState: { n: 1 } } as SessionEvent;
  const changed = changedBy(...events, finished);
  assert.equal(changed.weights, hash(1));
  assert.deepEqual(changed.pending, []);
  assert.deepEqual(changed.aggregatorState, { n: 1 });
  assert.deepEqual(changed.rounds!.at(-1)!.finished, {
    weights: hash(1),
    seconds: 1.25,
    metrics: { loss: 0.9, accuracy: 0.75 },
  });
});

Deno.test("reduce() leaves an update that is not in a round for the next one", () => {
  const [first, second] = [update(1, ANNA, 1, 0.9, 0.75), update(1, BERT, 1, 0.5, 0.5)];
  const finished = {
    ...roundFinished(1, 0.9, 0.75),
    aggregated: [{ client: BERT.id, round: 1 }],
    kept: { "tier 1": hash(5) },
  } as SessionEvent;
  const events = [submitted, started, roundStarted(1), first, second, finished];
  const changed = changedBy(...events);
  assert.deepEqual(changed.pending, [first]);
  assert.deepEqual(changed.rounds!.at(-1)!.updates, [second]);
  assert.deepEqual(changed.kept, { "tier 1": hash(5) });
  const next = changedBy(...events, { ...roundStarted(2), selected: [BERT] } as SessionEvent);
  assert.deepEqual(next.rounds!.at(-1)!.updates, [first]);
});

Deno.test("reduce() closes a round that is given up: weights stay, nothing is pending", () => {
  const late = update(1, ANNA, 1, 0.9, 0.75);
  const events = [submitted, started, roundStarted(1), late, failure];
  const changed = changedBy(...events, GIVEN_UP);
  assert.deepEqual(Object.keys(changed).sort(), ["pending", "rounds", "seq"]);
  assert.deepEqual(changed.pending, []);
  const [round] = changed.rounds!;
  assert.deepEqual(round!.givenUp, { reason: "1 updates as min_updates is 2", seconds: 2 });
  assert.deepEqual([round!.finished, round!.updates, round!.failures], [null, [late], [failure]]);
  const state = after(...events, GIVEN_UP);
  assert.deepEqual([roundsOver(state), openRound(state)], [1, null]);
});

Deno.test("reduce() takes an update that comes between two rounds into the next", () => {
  const [first, late] = [update(1, ANNA, 1, 0.9, 0.75), update(1, BERT, 1, 0.5, 0.5)];
  const events = [submitted, started, roundStarted(1), first, roundFinished(1, 0.9, 0.75), late];
  const changed = changedBy(...events);
  assert.deepEqual(changed.pending, [late]);
  assert.deepEqual(changed.rounds!.at(-1)!.updates, [first]);
});

Deno.test("reduce() adds clients to the round under way", () => {
  const added: SessionEvent = {
    type: "clients_added",
    round: 1,
    selected: [CARL],
    replaced: [],
    groups: { [CARL.id]: "tier 2" },
    selectorState: { drawn: 3 },
  };
  const changed = changedBy(submitted, started, roundStarted(1), failure, added);
  assert.deepEqual(changed.rounds!.at(-1)!.selected, [ANNA, BERT, CARL]);
  assert.deepEqual(changed.inFlight![CARL.id], { client: CARL, round: 1, group: "tier 2" });
  assert.deepEqual(changed.selectorState, { drawn: 3 });
});

Deno.test("reduce() keeps what clients have validated and what was measured of them", () => {
  const evaluation = { loss: 0.4, accuracy: 0.9, samples: 5 };
  const validated: SessionEvent = {
    type: "clients_validated",
    round: 1,
    results: [
      { client: ANNA, evaluation, reason: null },
      { client: BERT, evaluation: null, reason: "gone" },
    ],
  };
  const benchmark = { miniBatches: 10, seconds: 2 };
  const measured: SessionEvent = {
    type: "client_benchmarked",
    client: BERT,
    benchmark,
    reason: null,
  };
  const state = after(submitted, started, validated, measured);
  assert.equal(state.validatedFor, 1);
  assert.deepEqual(state.clients[ANNA.id]!.lastValidation, { round: 1, evaluation });
  assert.deepEqual(state.clients[BERT.id]!.lastValidation, null);
  assert.deepEqual(state.clients[BERT.id]!.benchmark, benchmark);
});

Deno.test("reduce() files a late validation under its own round", () => {
  const events = [submitted, started, roundStarted(1), roundFinished(1, 0.9, 0.75)];
  const changed = changedBy(...events, roundStarted(2), validated(1, 0.45, 0.88));
  assert.deepEqual(changed.rounds!.map(({ validation }) => validation), [
    { loss: 0.45, accuracy: 0.88, samples: 10_000 },
    null,
  ]);
});

Deno.test("reduce() ends a session with status, reason and time, and waits for nobody", () => {
  const events = [submitted, started, roundStarted(1)];
  const endings: [SessionEvent, string, string | null][] = [
    [{ type: "session_failed", reason: "broken" }, "failed", "broken"],
    [{ type: "session_stopped", reason: "enough" }, "stopped", "enough"],
  ];
  for (const [event, status, reason] of endings) {
    const changed = changedBy(...events, event);
    assert.deepEqual(changed, { status, reason, endedAt: START + 1500, inFlight: {}, seq: 4 });
  }
  const finished = fold(finishedRun)!;
  assert.equal(finished.status, "finished");
  assert.equal(finished.reason, null);
  assert.equal(finished.endedAt, START + 500 * (finishedRun.length - 1));
  assert.deepEqual([finished.inFlight, finished.pending], [{}, []]);
  assert.equal(finished.weights, hash(3));
});

Deno.test("isTerminal() is true of the last event of a run and of no other", () => {
  for (const run of [finishedRun, failedRun]) {
    const terminal = run.map(({ event }) => isTerminal(event));
    assert.deepEqual(terminal, run.map((_, i) => i === run.length - 1));
  }
  assert.equal(isTerminal({ type: "session_stopped", reason: "enough" }), true);
});

Deno.test("reduce() refuses what cannot follow", () => {
  const state = after(submitted, started);
  const entry = (seq: number, event: SessionEvent): SessionEntry => ({ seq, at: START, event });
  const refused: [SessionState | null, SessionEntry, RegExp][] = [
    [null, entry(1, started), /Cannot begin a session with "session_started"/],
    [state, entry(3, submitted), /Cannot submit session .* twice/],
    [state, entry(2, roundStarted(1)), /Cannot fold entry 2 of session .* after 2/],
    [state, entry(4, roundStarted(1)), /Cannot fold entry 4 of session .* after 2/],
    [state, entry(3, failure), /Cannot change a round of .*: it has none/],
    [
      state,
      entry(3, { type: "session_paused" } as unknown as SessionEvent),
      /Cannot fold "session_paused" into session .*: this version does not know it/,
    ],
  ];
  for (const [before, next, message] of refused) {
    assert.throws(() => reduce(before, next), { name: "JournalError", message });
  }
});

Deno.test("reduce() refuses every event once the session has ended", () => {
  const endings: [SessionEvent, string][] = [
    [{ type: "session_finished", weights: "w3" }, "finished"],
    [{ type: "session_failed", reason: "no clients" }, "failed"],
    [{ type: "session_stopped", reason: "enough" }, "stopped"],
  ];
  const later = [started, roundStarted(1), failure, ...endings.map(([event]) => event)];
  for (const [ending, status] of endings) {
    const ended = after(submitted, started, ending);
    for (const event of later) {
      assert.throws(() => reduce(ended, { seq: 4, at: START, event }), {
        name: "JournalError",
        message: `Cannot fold "${event.type}" into session ${ended.id}: it has ended as ${status}`,
      });
    }
  }
});

Deno.test("openRound() and roundsOver() tell where a run stands", () => {
  const stands = finishedRun.map((_, i) => {
    const state = fold(finishedRun.slice(0, i + 1))!;
    return [roundsOver(state), openRound(state)?.round ?? null];
  });
  assert.deepEqual(stands.slice(1, 8), [
    [0, null],
    [0, 1],
    [0, 1],
    [0, 1],
    [1, null],
    [1, null],
    [1, 2],
  ]);
  assert.deepEqual(stands.at(-1), [3, null]);
  assert.equal(fold([]), null);
});

/** A journal as an engine may write it: rounds with any answers, late validations, any end or none. */
const journals: fc.Arbitrary<SessionEntry[]> = fc.record({
  rounds: fc.array(
    fc.record({
      answers: fc.array(fc.tuple(fc.constantFrom(ANNA, BERT, CARL), fc.boolean()), {
        maxLength: 3,
      }),
      validateLate: fc.option(fc.boolean()),
      isGivenUp: fc.boolean(),
    }),
    { maxLength: 5 },
  ),
  end: fc.constantFrom(null, "finished", "failed", "stopped"),
  cut: fc.nat(),
}).map(({ rounds, end, cut }) => {
  const events: SessionEvent[] = [submitted, started];
  let late: SessionEvent[] = [];
  for (const [i, { answers, validateLate, isGivenUp }] of rounds.entries()) {
    const round = i + 1;
    const selected = [...new Set(answers.map(([client]) => client))];
    events.push({ ...roundStarted(round), selected } as SessionEvent, ...late);
    const answered = new Set<ClientRef>();
    for (const [client, delivers] of answers) {
      if (answered.has(client)) continue;
      answered.add(client);
      events.push(
        delivers
          ? update(round, client, 10 * round, 0.5, null)
          : { type: "client_failed", round, client, reason: "gone" },
      );
    }
    if (isGivenUp) {
      events.push({ ...GIVEN_UP, round } as SessionEvent);
      continue;
    }
    events.push(roundFinished(round, 0.5, 0.5));
    const validation = validated(round, 0.5, 0.5);
    late = validateLate === true ? [validation] : [];
    if (validateLate === false) events.push(validation);
  }
  const ending: Record<string, SessionEvent> = {
    finished: { type: "session_finished", weights: hash(rounds.length) },
    failed: { type: "session_failed", reason: "broken" },
    stopped: { type: "session_stopped", reason: "enough" },
  };
  // Without an end the process may have died anywhere.
  return end === null
    ? journal(events).slice(0, 1 + cut % events.length)
    : journal([...events, ending[end]!]);
});

Deno.test("fold() of a journal in two pieces equals fold() of the whole, wherever it is cut", () => {
  fc.assert(fc.property(journals, fc.nat(), (entries, at) => {
    const cut = 1 + at % entries.length;
    // What was folded before a restart went through nothing; what was stored went through JSON.
    const restarted = JSON.parse(JSON.stringify(entries)) as SessionEntry[];
    const state = restarted.slice(cut).reduce(reduce, fold(entries.slice(0, cut))!);
    assert.deepEqual(state, fold(entries));
  }));
});

Deno.test("reduce() changes neither the state nor the entry that it is given", () => {
  fc.assert(fc.property(journals, (entries) => {
    let state: SessionState | null = null;
    for (const entry of entries) {
      const before: string = JSON.stringify([state, entry]);
      const next: SessionState = reduce(state, entry);
      assert.equal(JSON.stringify([state, entry]), before);
      state = next;
    }
  }));
});

Deno.test("fold() accounts for every selected client: it has answered, failed, or is in flight", () => {
  fc.assert(fc.property(journals, (entries) => {
    const state = fold(entries)!;
    const round = openRound(state);
    const waiting = Object.values(state.inFlight).map(({ client }) => client.name);
    const answers = [...round?.updates ?? [], ...round?.failures ?? []];
    const accounted = [...waiting, ...answers.map(({ client }) => client.name)].sort();
    const selected = round?.selected.map(({ name }) => name).sort() ?? [];
    // The end lets go of those who were still at work.
    if (state.endedAt === null) assert.deepEqual(accounted, selected);
    assert.deepEqual(state.pending, round?.updates ?? []);
    assert.equal(state.seq, entries.length);
    assert.equal(state.endedAt !== null, isTerminal(entries.at(-1)!.event));
  }));
});
