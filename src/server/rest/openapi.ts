/** The OpenAPI 3.1 document of the REST interface, made from the schemas that it checks by. */
import { toJsonSchemaDefs } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { jsonSchemaOf } from "../../config/json_schema.ts";
import { ClientList } from "./clients.ts";
import { ContinueBody, ForkBody } from "./continuations.ts";
import { ErrorBody } from "./errors.ts";
import { CommandAnswer, CommandBody } from "./execute_command.ts";
import { Health } from "./health.ts";
import {
  ClientRefView,
  ConfigObject,
  RoundView,
  SessionSummary,
  SessionView,
} from "./session_view.ts";
import { SessionList, StopBody, SubmissionBody, Submitted } from "./sessions.ts";
import { CollectBody, Collected, Imported } from "./storage.ts";

const components = {
  SessionConfig: ConfigObject,
  ClientRef: ClientRefView,
  Round: RoundView,
  SessionSummary,
  Session: SessionView,
  SessionList,
  ClientList,
  Submission: SubmissionBody,
  Submitted,
  Stop: StopBody,
  Continue: ContinueBody,
  Fork: ForkBody,
  Collect: CollectBody,
  Collected,
  Imported,
  Command: CommandBody,
  CommandAnswer,
  Health,
  Error: ErrorBody,
} satisfies Record<string, GenericSchema>;

type Component = keyof typeof components;

/** One way to call a path. */
interface Operation {
  readonly summary: string;
  readonly parameters?: readonly object[];
  readonly body?: { readonly schema: Component; readonly required: boolean };
  /** Whether the body is bytes. @default {false} */
  readonly binaryBody?: boolean;
  /** By status: a component's name, or a media type that is not JSON, or null for no body. */
  readonly answers: Readonly<
    Record<number, readonly [description: string, content: Component | MediaType | null]>
  >;
}

type MediaType =
  | "application/json"
  | "text/event-stream"
  | "application/octet-stream"
  | "text/plain";

const sessionId = {
  name: "id",
  in: "path",
  required: true,
  description: "A session id, or an unambiguous start of one of at least 4 characters",
  schema: { type: "string" },
};

const unknownSession = {
  404: ["No such session", "Error"],
  409: ["The session's journal cannot be read: the reason", "Error"],
} as const;
const badBody = {
  400: ["Malformed JSON, or a config or package that cannot work: all problems", "Error"],
  413: ["The body is too large", "Error"],
  415: ["The body is not application/json", "Error"],
} as const;

const PATHS: Readonly<Record<string, Readonly<Partial<Record<"get" | "post", Operation>>>>> = {
  "/execute_command": {
    post: {
      summary: "Runs a session and answers when it has ended (the original's interface)",
      body: { schema: "Command", required: true },
      answers: {
        200: ["The session finished", "CommandAnswer"],
        400: ["Another session runs, no client is active, or bad input", "CommandAnswer"],
        413: ["The body is too large", "CommandAnswer"],
        415: ["The body is not application/json", "CommandAnswer"],
        500: ["The session failed or was stopped: the reason", "CommandAnswer"],
        404: ["No session of the id that is to be continued", "CommandAnswer"],
        409: ["The session cannot be continued as asked: the reason", "CommandAnswer"],
        503: ["The server closes; the session goes on when it is back", "CommandAnswer"],
      },
    },
  },
  "/api/v1/sessions": {
    post: {
      summary: "Submits a session; it starts at once or waits for those before it",
      body: { schema: "Submission", required: true },
      answers: {
        201: ["Submitted; Location is the session's address", "Submitted"],
        409: ["Another session runs, and queue is false", "Error"],
        ...badBody,
      },
    },
    get: {
      summary: "Lists all sessions in order of submission",
      answers: { 200: ["All sessions", "SessionList"] },
    },
  },
  "/api/v1/sessions/{id}": {
    get: {
      summary: "Shows a session with all its rounds",
      parameters: [sessionId],
      answers: { 200: ["The session", "Session"], ...unknownSession },
    },
  },
  "/api/v1/sessions/{id}/events": {
    get: {
      summary: "Follows a session as server-sent events until it ends",
      parameters: [
        sessionId,
        {
          name: "after",
          in: "query",
          description: "Skip journal entries up to this sequence number",
          schema: { type: "integer", minimum: 0 },
        },
        {
          name: "Last-Event-ID",
          in: "header",
          description: "As after, and stronger: sent by a reader that reconnects",
          schema: { type: "integer", minimum: 0 },
        },
      ],
      answers: {
        200: [
          "Journal entries (id: sequence number, event: type, data: the entry as JSON) and live " +
          'notes (event: "note", no id)',
          "text/event-stream",
        ],
        204: ["The session has ended and the reader has seen everything", null],
        400: ["Not a sequence number", "Error"],
        ...unknownSession,
      },
    },
  },
  "/api/v1/sessions/{id}/stop": {
    post: {
      summary: "Stops a session and answers when it has stopped; no effect on an ended one",
      parameters: [sessionId],
      body: { schema: "Stop", required: false },
      answers: { 200: ["The session", "Session"], ...badBody, ...unknownSession },
    },
  },
  "/api/v1/sessions/{id}/continue": {
    post: {
      summary: "Lets a session go on that has failed or was stopped",
      parameters: [sessionId],
      body: { schema: "Continue", required: true },
      answers: {
        202: ["It goes on, or waits for those before it", "Submitted"],
        ...badBody,
        ...unknownSession,
        409: ["It cannot go on as asked, or another session runs and queue is false", "Error"],
      },
    },
  },
  "/api/v1/sessions/{id}/fork": {
    post: {
      summary: "Submits a session that begins with the rounds of another",
      parameters: [sessionId],
      body: { schema: "Fork", required: true },
      answers: {
        201: ["Submitted; Location is the session's address", "Submitted"],
        ...badBody,
        ...unknownSession,
        409: [
          "The round or its weights are not there or do not fit, or another session runs and queue " +
          "is false",
          "Error",
        ],
      },
    },
  },
  "/api/v1/gc": {
    post: {
      summary: "Frees what no session needs, and says how much",
      body: { schema: "Collect", required: false },
      answers: { 200: ["What was freed", "Collected"], ...badBody },
    },
  },
  "/api/v1/state": {
    get: {
      summary: "Downloads everything that the leader keeps, as an archive",
      answers: {
        200: ["The archive", "application/octet-stream"],
        409: ["A session runs", "Error"],
      },
    },
    post: {
      summary: "Fills the leader's empty state from an archive; open sessions in it go on",
      binaryBody: true,
      answers: {
        200: ["What is there now", "Imported"],
        400: ["The archive is damaged, or the state is not empty", "Error"],
      },
    },
  },
  "/api/v1/sessions/{id}/model": {
    get: {
      summary: "Downloads the final model's weights as safetensors",
      parameters: [sessionId],
      answers: {
        200: ["The weights", "application/octet-stream"],
        404: ["No such session, or it ended without a model", "Error"],
        409: ["The session has not ended yet", "Error"],
      },
    },
  },
  "/api/v1/sessions/{id}/results": {
    get: {
      summary: "Downloads the session's results.json",
      parameters: [sessionId],
      answers: {
        200: ["The results", "application/json"],
        404: ["No such session, or it left no results", "Error"],
        409: ["The session has not ended yet", "Error"],
      },
    },
  },
  "/api/v1/clients": {
    get: {
      summary: "Lists all clients that the leader knows, by name",
      answers: { 200: ["All clients", "ClientList"] },
    },
  },
  "/healthz": {
    get: { summary: "Whether the server lives", answers: { 200: ["It does", "Health"] } },
  },
  "/readyz": {
    get: {
      summary: "Whether the server can run sessions",
      answers: { 200: ["It can", "Health"], 503: ["Not yet: the reason", "Error"] },
    },
  },
  "/metrics": {
    get: {
      summary: "Numbers about the server for Prometheus",
      answers: { 200: ["Prometheus text format 0.0.4", "text/plain"] },
    },
  },
  "/openapi.json": {
    get: { summary: "This document", answers: { 200: ["OpenAPI 3.1", "application/json"] } },
  },
};

/** Makes the document: plain data, ready for JSON. */
export function openApiDocument() {
  const schemas = toJsonSchemaDefs(components, {
    target: "draft-2020-12",
    typeMode: "input",
    overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`,
  });
  return {
    openapi: "3.1.0",
    info: {
      title: "Flotilla leader",
      version: "1",
      description: "Submits, watches and stops federated learning sessions",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    paths: mapValues(PATHS, (operations) => mapValues(operations, operationObject)),
    components: {
      // The routes take any object and leave the checks to the config parser; the document knows.
      schemas: { ...schemas, SessionConfig: jsonSchemaOf("session") },
    },
  };
}

function operationObject(
  { summary, parameters = [], body, binaryBody = false, answers }: Operation,
) {
  return {
    summary,
    parameters,
    ...(body && {
      requestBody: { required: body.required, content: contentObject(body.schema) },
    }),
    ...(binaryBody && {
      requestBody: { required: true, content: contentObject("application/octet-stream") },
    }),
    responses: mapValues(answers, ([description, content]) => ({
      description,
      ...(content && { content: contentObject(content) }),
    })),
  };
}

function contentObject(content: Component | MediaType) {
  return isComponent(content)
    ? { "application/json": { schema: { $ref: `#/components/schemas/${content}` } } }
    : { [content]: {} };
}

function isComponent(content: string): content is Component {
  return content in components;
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, change: (value: T) => U) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
