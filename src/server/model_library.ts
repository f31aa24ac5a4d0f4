/** The leader's own model packages, for a config that names a model and sends none. */
import { join } from "node:path";
import { readPackage } from "../config/read_package.ts";
import type { SessionConfig } from "../config/session_config.ts";
import { ModelError } from "../core/errors.ts";
import type { ModelPackage } from "../core/model_package.ts";

/**
 * Finds the package of a config in the leader's folders. Of `model_dir` only the last part counts:
 * whoever posts a config must not choose what the leader reads.
 *
 * @param folders looked through in this order
 * @throws {ModelError} no folder has it, or it is not a package
 */
export async function findPackage(
  config: SessionConfig,
  folders: readonly string[],
): Promise<ModelPackage> {
  const { model_id: id } = config.client_training_config;
  const name = lastPart(config.server_training_config.model_dir ?? id);
  for (const folder of folders) {
    const path = join(folder, name);
    if (await isFolder(path)) return await readPackage(path, id);
  }
  throw new ModelError(
    `Cannot find the model "${name}": send its folder with the config ` +
      `(server_training_config.model_dir), or put it into ${folders.join(" or ")} on the server`,
  );
}

function lastPart(path: string): string {
  const part = path.split(/[\\/]/).filter((piece) => piece !== "").at(-1) ?? "";
  if (/^[\w-][\w.-]*$/.test(part)) return part;
  throw new ModelError(`Cannot use server_training_config.model_dir "${path}" as a model's folder`);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
