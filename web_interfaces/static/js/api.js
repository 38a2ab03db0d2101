// Calls of geoforge's HTTP API, with the function key that the page was opened with.

const key = new URLSearchParams(location.search).get("code");

/** A link inside the app, with the page's function key if it has one. */
export function withKey(path) {
  if (!key) return path;
  const url = new URL(path, location.origin);
  url.searchParams.set("code", key);
  return url.pathname + url.search;
}

/**
 * POST JSON. Returns {ok, status, body}; where the server does not answer or answers in
 * something else than JSON, body.detail says so.
 */
export async function post(path, value = {}) {
  const headers = { "Content-Type": "application/json" };
  if (key) headers["x-functions-key"] = key;
  try {
    const answer = await fetch(path, { method: "POST", headers, body: JSON.stringify(value) });
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
