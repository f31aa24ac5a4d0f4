/** Where the project is, and what its folders hold. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Folder of `deno.json`, without a slash at the end. */
export const projectRoot: string = fileURLToPath(new URL("..", import.meta.url)).replace(
  /[\\/]$/,
  "",
);

/** Files below a folder of the project whose names end as given, relative to the root, sorted. */
export function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(`${projectRoot}/${folder}`, { recursive: true, encoding: "utf8" })
    .map((file) => `${folder}/${file.replaceAll("\\", "/")}`)
    .filter((file) => file.endsWith(ending))
    .sort();
}
