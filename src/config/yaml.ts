/** YAML text to plain data of which every part knows its line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";
import type { FileLocation } from "../core/errors.ts";
import { InvalidConfigError, type Problem, throwIfAny } from "./problems.ts";
import { type ConfigSource, locationIn, type Path, readNone, TOO_DEEP } from "./source.ts";

/** A configuration that people write is far smaller; a larger file is a mistake. */
export const MAX_CONFIG_BYTES = 1024 * 1024;

/** The reason why a larger text is refused. */
export const TOO_LARGE = `cannot be a configuration as it has more than ${MAX_CONFIG_BYTES} bytes`;

/** What an alias may expand to, in nodes: enough for reuse, too little for a bomb. */
const MAX_ALIASES = 100;

/** The line and column of an offset in the text; the file alone where there is no offset. */
type Place = (offset: number | undefined) => FileLocation;

/**
 * Reads YAML 1.2 with merge keys (`<<`). Texts `None` are null.
 *
 * @param file how messages name the text
 * @throws {InvalidConfigError} larger than 1 MiB, not YAML, a key twice, unknown tags, aliases that
 * expand without end, nested too deeply
 */
export function readYaml(text: string, file: string): ConfigSource {
  // UTF-8 has at least a byte for each UTF-16 unit, so the cheap test comes first.
  if (text.length > MAX_CONFIG_BYTES || new TextEncoder().encode(text).length > MAX_CONFIG_BYTES) {
    throw new InvalidConfigError([{ reason: TOO_LARGE, location: { file } }]);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    resolveKnownTags: false,
    // The library compares every key with every other; a file of keys would take minutes.
    uniqueKeys: false,
  });
  const place: Place = (offset) => {
    if (offset === undefined) return { file };
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  throwIfAny(syntaxProblems(document, place));
  throwIfAny(referenceProblems(document, place));
  const index: PairIndex = new Map();
  return {
    file,
    value: readNone(toPlain(document, file), file),
    locate(path, part) {
      return { ...locationIn(file, path), ...place(offsetOf(document, index, path, part)) };
    },
  };
}

function syntaxProblems(document: Document, place: Place): Problem[] {
  const faults = [...document.errors, ...document.warnings];
  const exhausted = faults.find(({ code }) => code === "RESOURCE_EXHAUSTION");
  if (exhausted !== undefined) {
    // All other faults follow from this one.
    return [{ reason: TOO_DEEP, location: place(exhausted.pos[0]) }];
  }
  return faults.map(({ code, message, pos }) => ({
    reason: code === "MULTIPLE_DOCS"
      ? 'holds a second document after "---": one configuration a file'
      : `cannot be read as YAML: ${message}`,
    location: place(pos[0]),
  }));
}

/** Keys that are there twice, and aliases of what is not there. */
function referenceProblems(document: Document, place: Place): Problem[] {
  const problems: Problem[] = [];
  const anchors = new Set<string>();
  visit(document, (_, node) => {
    if (isAlias(node)) {
      if (anchors.has(node.source)) return;
      const reason = `cannot be read as YAML: nothing before "*${node.source}" is named ` +
        `"&${node.source}"`;
      problems.push({ reason, location: place(startOf(node)) });
    } else if (isNode(node)) {
      if (node.anchor !== undefined) anchors.add(node.anchor);
      if (isMap(node)) { for (const problem of repeatedKeys(node, place)) problems.push(problem); }
    }
  });
  return problems;
}

function repeatedKeys(map: YAMLMap, place: Place): Problem[] {
  const keys = map.items.map(({ key }) => key).filter(isScalar);
  const seen = new Set<string>();
  return keys.flatMap((key) => {
    const name = nameOf(key);
    const repeated = seen.has(name);
    seen.add(name);
    const location = { ...place(startOf(key)), key: name };
    return repeated ? [{ reason: "is there twice: write each key once", location }] : [];
  });
}

function toPlain(document: Document, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    const reason = "cannot be read as YAML: its aliases expand too far";
    throw new InvalidConfigError([{ reason, location: { file } }]);
  }
}

/** The pairs of maps by key; made when first asked for, as a search for each key takes long. */
type PairIndex = Map<YAMLMap, ReadonlyMap<string, Pair>>;

/** Offset at which a value, its key, or what encloses it starts. */
function offsetOf(
  document: Document,
  index: PairIndex,
  path: Path,
  part: "key" | "value",
): number | undefined {
  let node: unknown = document.contents;
  let key: unknown;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const found = isMap(node)
      ? pairsOf(node, index).get(String(step))
      : isSeq(node) && typeof step === "number"
      ? { key: node.items[step], value: node.items[step] }
      : undefined;
    // Not written here: absent, or brought in by a merge.
    if (found === undefined) return startOf(key);
    key = found.key;
    node = found.value;
  }
  const written = isAlias(node) || isScalar(node) && node.range?.[0] !== node.range?.[1];
  return startOf(part === "value" && written ? node : key);
}

function pairsOf(map: YAMLMap, index: PairIndex): ReadonlyMap<string, Pair> {
  const known = index.get(map);
  if (known !== undefined) return known;
  const named = map.items.flatMap((pair) =>
    isScalar(pair.key) ? [[nameOf(pair.key), pair] as const] : []
  );
  const pairs = new Map(named);
  index.set(map, pairs);
  return pairs;
}

/** A key as text; the library makes a symbol of the merge key. */
function nameOf({ value }: Scalar): string {
  return typeof value === "symbol" ? value.description ?? "" : String(value);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined;
}
