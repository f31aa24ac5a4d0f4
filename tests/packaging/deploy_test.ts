/** The unit file and the manifest against the commands that they run; no systemd, no cluster. */
import assert from "node:assert/strict";
import { Command } from "commander";
import { parseAllDocuments } from "yaml";
import { commands } from "../../src/cli/commands.ts";
import { projectRoot } from "../../tools/project.ts";

function read(file: string): string {
  return Deno.readTextFileSync(`${projectRoot}/deploy/${file}`);
}

/** Fails if a command line names a flag that the command has not. */
async function assertFlags([name, ...words]: readonly string[]): Promise<void> {
  const entry = commands.find((command) => command.name === name);
  assert.ok(entry, `no command "${name}"`);
  const command = new Command(entry.name);
  (await entry.load()).define(command);
  const known = command.options.map(({ long }) => long);
  for (const flag of words.filter((word) => word.startsWith("-"))) {
    assert.ok(known.includes(flag.split("=")[0]!), `${name} has no ${flag}`);
  }
}

Deno.test("flotilla-server.service starts a leader again after any death, on the same state", async () => {
  const unit = read("flotilla-server.service");
  const [, command] = /^ExecStart=\/usr\/local\/bin\/flotilla (.*)$/m.exec(unit)!;
  await assertFlags(command!.split(" "));
  for (const line of ["Restart=always", "StartLimitIntervalSec=0", "StateDirectory=flotilla"]) {
    assert.match(unit, new RegExp(`^${line}$`, "m"));
  }
  assert.match(unit, /^WorkingDirectory=\/var\/lib\/flotilla$/m);
});

Deno.test("flotilla-server.yaml runs one leader on a volume of its own, and asks whether it lives", async () => {
  const documents = parseAllDocuments(read("flotilla-server.yaml")).map((each) => each.toJS());
  const set = documents.find(({ kind }) => kind === "StatefulSet");
  assert.equal(set.spec.replicas, 1);
  const { containers: [server] } = set.spec.template.spec;
  await assertFlags(server.args);
  const [claim] = set.spec.volumeClaimTemplates;
  const [mount] = server.volumeMounts;
  assert.equal(mount.name, claim.metadata.name);
  for (const flag of ["--state-dir", "--runs-dir"]) {
    const argument = server.args.find((word: string) => word.startsWith(`${flag}=`));
    assert.ok(argument.startsWith(`${flag}=${mount.mountPath}/`), argument);
  }
  assert.deepEqual(
    [server.livenessProbe, server.readinessProbe].map((probe) => probe.httpGet.path),
    ["/healthz", "/readyz"],
  );
  const service = documents.find(({ kind }) => kind === "Service");
  assert.deepEqual(service.spec.selector, set.spec.template.metadata.labels);
});

Deno.test("RELIABILITY.md names tests and files that are there", async () => {
  const text = await Deno.readTextFile(`${projectRoot}/RELIABILITY.md`);
  const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link!);
  assert.ok(links.length > 20, `${links.length} links`);
  for (const link of links) await Deno.stat(`${projectRoot}/${link}`);
});
