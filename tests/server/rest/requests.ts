/** Requests as tests make them, and answers as they read them. */
import assert from "node:assert/strict";

/** A POST of a JSON body. */
export function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  return {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  };
}

/** Asserts the status and reads the JSON body. */
export async function json<T>(answer: Response | Promise<Response>, status: number): Promise<T> {
  const response = await answer;
  const text = await response.text();
  assert.equal(response.status, status, text);
  return JSON.parse(text);
}

/** Body of an error in `/api/v1`. */
export interface ErrorAnswer {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly problems?: readonly string[];
  };
}

/** Asserts status and code of an error of `/api/v1`; returns it. */
export async function refused(
  answer: Response | Promise<Response>,
  status: number,
  code: string,
): Promise<ErrorAnswer["error"]> {
  const { error } = await json<ErrorAnswer>(answer, status);
  assert.equal(error.code, code);
  return error;
}
