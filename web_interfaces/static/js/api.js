// Calls of geoforge's HTTP API, with the function key that the page was opened with.

const key = new URLSearchParams(location.search).get("code");

/** A link inside the app, with the page's function key if it has one. */
export function withKey(path) {
  if (!key) return path;
  const url = new URL(path, location.origin);
  url.searchParams.set("code", key);
  return url.pathname + url.search;
}

/** The headers of a call: the page's function key if it has one. */
export const keyHeaders = () => (key ? { "x-functions-key": key } : {});

/** POST JSON; the answer as `call` has it. */
export const post = (path, value = {}) => call("POST", path, value);

/** GET JSON; the answer as `call` has it. */
export const get = (path) => call("GET", path);

/**
 * Send JSON. Returns {ok, status, body}; where the server does not answer or answers in
 * something else than JSON, body.detail says so.
 */
export async function call(method, path, value, more = {}) {
  const headers = { ...keyHeaders(), ...more };
  const options = { method, headers };
  if (value !== undefined) {
    headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(value);
  }
  try {
    const answer = await fetch(path, options);
    const text = await answer.text();
    return { ok: answer.ok, status: answer.status, body: parsed(text, answer.status) };
  } catch {
    return { ok: false, status: 0, body: { detail: "The server does not answer. Try again." } };
  }
}

function parsed(text, status) {
  try {
    return JSON.parse(text);
  } catch {
    return { detail: `The server answered ${status} without saying why.` };
  }
}
