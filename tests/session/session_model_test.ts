/**
 * Random histories of a session against its reference: answers in any order, late, twice or
 * unusable, clients that die, are cut off and come back, leaders that are killed at any write.
 */
import fc from "fast-check";
import { CLIENTS, ReferenceSession, RETURN_MS } from "./reference_session.ts";
import { RealSession } from "./real_session.ts";

/** Histories that CI tries; set MODEL_RUNS for more. */
const RUNS = Number(Deno.env.get("MODEL_RUNS") ?? 2000);
/** Beyond every deadline of a call. */
const DAYS_MS = 5 * 24 * 3600 * 1000;
/** More losses in one round make a client count as one that the work kills. */
const MOST_LOSSES = 5;

type Command = fc.AsyncCommand<ReferenceSession, RealSession>;

/** A command that tells both the same, and then compares them. */
class Told implements Command {
  constructor(
    readonly name: string,
    readonly check: (reference: ReferenceSession) => boolean,
    readonly tell: (reference: ReferenceSession, real: RealSession) => void | Promise<void>,
  ) {}

  async run(reference: ReferenceSession, real: RealSession): Promise<void> {
    await this.tell(reference, real);
    await real.shows(reference.shown());
  }

  toString(): string {
    return this.name;
  }
}

function trained(client: string, work: "done" | "unusable"): Command {
  return new Told(
    `${client} is ${work}`,
    (reference) => reference.workOf(client) === "training",
    (reference, real) => {
      real.trained(client, work);
      reference.trained(client, work);
    },
  );
}

function trainedAgain(client: string): Command {
  return new Told(
    `${client} answers twice or late`,
    (reference) => reference.workOf(client) !== "training",
    (_reference, real) => real.trained(client, "done"),
  );
}

function leave(client: string, died: boolean): Command {
  return new Told(
    `${client} ${died ? "dies" : "is cut off"}`,
    (reference) => reference.present.has(client) && reference.lossesOf(client) < MOST_LOSSES,
    (reference, real) => {
      real.leave(client, died, reference.workOf(client) === "training");
      reference.leave(client, died);
    },
  );
}

function join(client: string): Command {
  return new Told(`${client} is there`, () => true, (reference, real) => {
    real.join(client);
    reference.join(client);
  });
}

function advance(ms: number): Command {
  return new Told(`${ms} ms pass`, () => true, (reference, real) => {
    real.advance(ms);
    reference.advance(ms, ms === DAYS_MS);
  });
}

function kill(): Command {
  return new Told("the leader is killed", () => true, async (reference, real) => {
    await real.takeOver();
    reference.takeOver();
  });
}

/** A write follows an answer; where more do, the round ends and all clients must be there. */
function killAtWrite(client: string, count: number, when: "before" | "after"): Command {
  return new Told(
    `${client} is done, the leader is killed ${when} write ${count}`,
    (reference) =>
      reference.workOf(client) === "training" && reference.present.size === CLIENTS.length,
    async (reference, real) => {
      const { takeOvers } = real;
      reference.trained(client, "done");
      real.dieAt(count, when);
      real.trained(client, "done");
      await real.shows(reference.shown());
      real.surviveAll();
      if (real.takeOvers > takeOvers && real.isInRoundOfTakeOver) reference.expectReturn();
    },
  );
}

function stop(): Command {
  return new Told("the user stops it", () => true, async (reference, real) => {
    reference.stop();
    await real.stop();
  });
}

const client = fc.constantFrom(...CLIENTS);
const commands = [
  client.map((id) => trained(id, "done")),
  client.map((id) => trained(id, "done")),
  client.map((id) => trained(id, "done")),
  client.map((id) => trained(id, "unusable")),
  client.map(trainedAgain),
  fc.tuple(client, fc.boolean()).map(([id, died]) => leave(id, died)),
  client.map(join),
  client.map(join),
  fc.constantFrom(RETURN_MS / 3, RETURN_MS / 3, RETURN_MS / 3, DAYS_MS).map(advance),
  fc.constant(0).map(kill),
  fc.tuple(client, fc.integer({ min: 1, max: 8 }), fc.constantFrom("before", "after"))
    .map(([id, count, when]) => killAtWrite(id, count, when)),
  fc.constantFrom(...Array<boolean>(9).fill(false), true)
    .map((stops) => stops ? stop() : kill()),
];

Deno.test("runSession() does what the reference does, whatever happens to leader and clients", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands(commands.map((each) => each.map(unlessEnded)), { maxCommands: 40 }),
      async (history) => {
        const real = await RealSession.begin();
        const reference = new ReferenceSession();
        await real.shows(reference.shown());
        await fc.asyncModelRun(() => ({ model: reference, real }), history);
        await toTheEnd(reference, real);
      },
    ),
    { numRuns: RUNS },
  );
});

/** Whatever has happened: when all are there and answer, the session ends, and nothing is left over. */
async function toTheEnd(reference: ReferenceSession, real: RealSession): Promise<void> {
  while (!reference.ended) {
    for (const id of CLIENTS) {
      if (!reference.present.has(id)) await join(id).run(reference, real);
    }
    for (const id of CLIENTS) {
      if (reference.workOf(id) === "training") await trained(id, "done").run(reference, real);
    }
  }
  await real.check();
}

function unlessEnded(command: Command): Command {
  return {
    check: (reference) => !reference.ended && command.check(reference),
    run: (reference, real) => command.run(reference, real),
    toString: () => command.toString(),
  };
}
