// Requests to the server. Without a valid key they lead to the sign-in form, and are then repeated.

import { Problem, UNREACHABLE } from "./problem.js";
import { signIn } from "./sign_in.js";

const TIMEOUT_MS = 30_000;

/**
 * Ask the server; return what it answers, parsed, or null for an empty answer.
 *
 * @throws {Problem} with a sentence that says what went wrong
 */
export async function call(path, { method = "GET", body = undefined, signal = null } = {}) {
  const response = await send(path, { method, body, signal });
  if (!response.ok) throw await Problem.from(response);
  return response.status === 204 ? null : reached(response.json());
}

async function send(path, { method, body, signal }) {
  for (;;) {
    const options = {
      method,
      cache: "no-store",
      headers: body === undefined ? {} : { "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]),
    };
    const response = await reached(fetch(path, options));
    if (response.status !== 401) return response;
    await signIn();
  }
}

/** Wait for what comes from the server; whatever breaks it off is a problem. */
async function reached(coming) {
  try {
    return await coming;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
}

/** Append parameters to a path; null and empty ones are left out, lists are repeated. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") query.append(name, one);
    }
  }
  return query.size > 0 ? `${path}?${query}` : path;
}

/** The pages of a list, one after the other, as long as they are wanted. */
export async function* pages(path, parameters, signal = null) {
  let cursor = null;
  do {
    const page = await call(withQuery(path, { ...parameters, cursor }), { signal });
    yield page;
    cursor = page.next_cursor ?? null;
  } while (cursor !== null);
}
