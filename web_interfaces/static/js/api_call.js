// The page of one call of the API: try it, where it changes nothing.

import { keyHeaders } from "./api.js";
import { whileBusy } from "./busy.js";

const SHOWN_CHARACTERS = 20000;

function addressOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-in]")) {
    const value = input.value.trim();
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(value));
    else if (value) query.set(input.name, value);
  }
  return query.size ? `${path}?${query}` : path;
}

/** The body as people read it; what is no text is told by its size. */
async function shown(answer) {
  const type = answer.headers.get("Content-Type") ?? "";
  if (!/json|text|xml/.test(type)) {
    const { size } = await answer.blob();
    return `${size.toLocaleString("en")} bytes of ${type || "no named type"}`;
  }
  const text = await answer.text();
  let pretty = text;
  if (type.includes("json")) {
    try {
      pretty = JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      pretty = text;
    }
  }
  if (pretty.length <= SHOWN_CHARACTERS) return pretty;
  return `${pretty.slice(0, SHOWN_CHARACTERS)}\n... and ${(pretty.length - SHOWN_CHARACTERS).toLocaleString("en")} characters more`;
}

async function send(form) {
  const place = form.querySelector(".trial-answer");
  const address = addressOf(form);
  try {
    const answer = await fetch(address, { headers: keyHeaders() });
    place.querySelector("p").textContent = `${answer.status} from ${address}`;
    place.querySelector("code").textContent = await shown(answer);
  } catch {
    place.querySelector("p").textContent = "The server does not answer. Try again.";
    place.querySelector("code").textContent = "";
  }
  place.hidden = false;
}

document.getElementById("trial")?.addEventListener("submit", (event) => {
  event.preventDefault();
  whileBusy(event.target, event.target.querySelector("button"), () => send(event.target));
});
