// Requests to the server, and the server's clock.

/** What the server said no to, or that it said nothing (status 0). `message` is for people. */
export class Refused extends Error {
  constructor(status, detail, retryAfter = 0) {
    super(detail);
    this.status = status;
    this.retryAfter = retryAfter; // seconds
  }
}

let ahead = 0; // milliseconds by which the server's clock is ahead of this computer's

/** Now by the server's clock: seconds of talk must not depend on the clock of the operator's computer. */
export function serverNow() {
  return Date.now() + ahead;
}

/** Fetches and returns JSON (null for an answer without a body). Ends on the sign-in page once signed out. */
export async function request(method, path, body) {
  const response = await answer(method, path, body);
  noteClock(response);
  if (response.status === 401 && path !== "/api/session") leave();
  if (!response.ok) {
    throw new Refused(response.status, await detail(response), Number(response.headers.get("retry-after")));
  }
  return response.status === 204 ? null : response.json();
}

/** Goes to the sign-in page. */
export function leave() {
  location.assign("/sign-in");
}

async function answer(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(path, {
      method, headers, body: JSON.stringify(body), cache: "no-store", signal: AbortSignal.timeout(15000),
    });
  } catch {
    throw new Refused(0, "");
  }
}

async function detail(response) {
  try {
    const problem = await response.json();
    return String(problem.detail ?? problem.title ?? response.status);
  } catch {
    return String(response.status);
  }
}

function noteClock(response) {
  const date = Date.parse(response.headers.get("date"));
  // The header has whole seconds: a smaller difference says nothing.
  if (Math.abs(date + 500 - Date.now()) > 2000) ahead = date + 500 - Date.now();
  else if (!Number.isNaN(date)) ahead = 0;
}
