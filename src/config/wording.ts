/** What to say of a value that a schema refuses. */
import type { BaseIssue } from "valibot";
import { isSection } from "./source.ts";
import { suggestion } from "./suggestion.ts";

/** The reason for an issue: it reads on after the key, and ends with the value. */
export function reasonFor(issue: BaseIssue<unknown>): string {
  if (issue.type === "picklist" && typeof issue.input === "string") {
    const known = issue.expected?.match(/"[^"]*"/g)?.map((name) => name.slice(1, -1)) ?? [];
    return `${shown(issue.input)} is not allowed${suggestion(issue.input, known)}`;
  }
  const rule = ruleOf(issue);
  const quotable = typeof issue.input === "number" || typeof issue.input === "boolean";
  if (issue.type === "string" && quotable) {
    return `${rule}: got ${shown(issue.input)}, write it in quotes`;
  }
  // The rule of a whole section says itself what is wrong in it.
  if (isOwn(issue) && isSection(issue.input)) return rule;
  return `${rule}: got ${shown(issue.input)}`;
}

/** A value as messages show it; long ones are cut, sections and lists are only named. */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (isSection(value)) return "a section";
  if (typeof value !== "string") return String(value);
  const characters = [...value];
  return JSON.stringify(characters.length > 60 ? `${characters.slice(0, 60).join("")}...` : value);
}

function ruleOf(issue: BaseIssue<unknown>): string {
  if (isOwn(issue)) return issue.message;
  const limit = issue.requirement;
  switch (issue.type) {
    case "number":
      return "must be a number";
    case "string":
      return "must be text";
    case "boolean":
      return "must be true or false";
    case "array":
      return "must be a list";
    case "object":
    case "strict_object":
    case "loose_object":
    case "record":
      return "must be a section of keys";
    case "integer":
    case "safe_integer":
      return "must be a whole number";
    case "finite":
      return "must be a finite number";
    case "min_value":
      return `must be at least ${limit}`;
    case "max_value":
      return `must be at most ${limit}`;
    case "gt_value":
      return `must be more than ${limit}`;
    case "lt_value":
      return `must be less than ${limit}`;
    case "non_empty":
      return "must not be empty";
    case "max_length":
      return `must have at most ${limit} characters`;
    case "union":
      return `must be ${kinds(issue.expected)}`;
    case "picklist":
      return `must be one of ${issue.expected}`;
    default:
      return `must be ${issue.expected}`;
  }
}

/** Whether the message is the schema's own, not the library's. */
function isOwn(issue: BaseIssue<unknown>): boolean {
  return !issue.message.startsWith("Invalid ");
}

/** Words for a union's `(number | Array)`. */
function kinds(expected: string | null): string {
  const words: Record<string, string> = {
    number: "a number",
    string: "text",
    boolean: "true or false",
    Array: "a list",
    Object: "a section of keys",
  };
  const kinds = expected?.replace(/[()]/g, "").split(" | ") ?? [];
  return kinds.map((kind) => words[kind] ?? kind).join(" or ");
}
