/** Model packages that a client has received: a folder a model, kept over restarts. */
import { join } from "node:path";
import { messageOf, ModelError } from "../core/errors.ts";
import type { PackageHash } from "../core/ids.ts";
import { type ModelPackage, modelPackage } from "../core/model_package.ts";
import { readPackage } from "../config/read_package.ts";
import type { Logger } from "../log/log.ts";
import { writeFileAtomically } from "../state/atomic_file.ts";

/** The packages in `model_cache/<model id>/`, one version of each model. */
export class PackageCache {
  readonly #folder: string;
  readonly #packages = new Map<string, ModelPackage>();

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Opens the cache; a package that cannot be read is dropped with a warning and sent again. */
  static async open(tempFolder: string, logger: Logger): Promise<PackageCache> {
    const cache = new PackageCache(join(tempFolder, "model_cache"));
    await Deno.mkdir(cache.#folder, { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(cache.#folder)) {
      if (!isDirectory) continue;
      try {
        cache.#packages.set(name, await readPackage(join(cache.#folder, name), name));
      } catch (error) {
        logger.warning("package_dropped", `Dropped the cached model ${name}: ${messageOf(error)}`);
        await Deno.remove(join(cache.#folder, name), { recursive: true });
      }
    }
    return cache;
  }

  /** Package hash by model id, as the client's advert tells it. */
  hashes(): Record<string, PackageHash> {
    return Object.fromEntries([...this.#packages].map(([id, { hash }]) => [id, hash]));
  }

  /** The package of this hash; undefined if it is not here. */
  find(hash: PackageHash): ModelPackage | undefined {
    return [...this.#packages.values()].find((held) => held.hash === hash);
  }

  /** Replaces the model's package. */
  async put(received: ModelPackage): Promise<void> {
    const folder = join(this.#folder, received.id);
    this.#packages.delete(received.id);
    await removeIfThere(folder);
    for (const [path, bytes] of Object.entries(received.files)) {
      await writeFileAtomically(join(folder, path), bytes);
    }
    this.#packages.set(received.id, received);
  }

  /**
   * Adds or replaces one file of the model's package, as the original's leader sends them.
   *
   * @throws {ModelError} the path leaves the package, or the package grows too large
   */
  async putFile(modelId: string, path: string, bytes: Uint8Array): Promise<void> {
    const files = { ...this.#packages.get(modelId)?.files, [path]: bytes };
    const changed = modelPackage(modelId, files);
    await writeFileAtomically(join(this.#folder, modelId, path), bytes);
    this.#packages.set(modelId, changed);
  }
}

/**
 * Checks that files are the package that their sender named.
 *
 * @throws {ModelError} another hash
 */
export function checkPackage(received: ModelPackage): ModelPackage {
  const checked = modelPackage(received.id, received.files);
  if (checked.hash !== received.hash) {
    throw new ModelError(
      `Cannot take model package "${received.id}" with hash ${checked.hash}: it claims ${received.hash}`,
    );
  }
  return checked;
}

async function removeIfThere(folder: string): Promise<void> {
  try {
    await Deno.remove(folder, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
