/** Seeds by name; apart from what draws by them, as workers that only draw load no hash functions. */
import { createHash } from "node:crypto";

/**
 * The seed of one random purpose: the first 32 bits of SHA-256 over the parts. The same parts give
 * the same seed on every machine.
 */
export function deriveSeed(...parts: readonly (string | number)[]): number {
  const hash = createHash("sha256");
  // A length before each part keeps ("ab", "c") and ("a", "bc") apart.
  for (const part of parts.map(String)) hash.update(`${part.length}:${part}`);
  return hash.digest().readUInt32BE(0);
}
