import { parseConfig } from "/work/main/src/config/load.ts";
import { serverConfigSchema } from "/work/main/src/config/server_config.ts";
import { InvalidConfigError } from "/work/main/src/config/problems.ts";
const N = 1024*1024;
const cases: Record<string,string> = {
  unknown: Array.from({length:60000},(_,i)=>`key${i}: 1`).join("\n"),
  brackets: "[".repeat(N-10),
  braces: "{".repeat(N-10),
  dashes: "- ".repeat(N/2-10),
  question: "? ".repeat(N/2-10),
  colons: "a: ".repeat(N/3-10),
  flowitems: "a: [" + "x,".repeat(N/2-10)+"]",
  anchors: "a:\n" + Array.from({length:50000},(_,i)=>` - &a${i} x`).join("\n"),
  aliases: "a: &a x\nb:\n" + " - *a\n".repeat(100000),
  manyaliases: "a:\n" + Array.from({length:25000},(_,i)=>` - &a${i} x\n - *a${i}`).join("\n"),
  merges: "a: &a {x: 1}\nb:\n" + "  <<: *a\n".repeat(90),
  quotes: '"'.repeat(N-10),
  tags: "!a ".repeat(N/3-10),
  stars: "*a ".repeat(N/3-10),
  newlines: "\n".repeat(N-10),
  comments: "#\n".repeat(N/2-10),
  docs: "---\n".repeat(N/4-10),
};
for (const [name, text] of Object.entries(cases)) {
  const t = performance.now();
  let out = "ok";
  try { parseConfig(serverConfigSchema, text, "c.yaml"); } catch (e) { out = (e instanceof InvalidConfigError ? "" : "!!! ") + (e as Error).message.split("\n")[0]!.slice(0,110) + " #" + (e as Error).message.split("\n").at(-1)!.slice(0,60); }
  console.log(name.padEnd(12), (performance.now()-t).toFixed(0).padStart(7), "ms", out);
}
