// The live parts of a page: htmx asks for each every few seconds and morphs what is there. A form
// that htmx sends comes back with what was wrong; why it does not come back is told here too.

/* global htmx, Idiomorph */

/** What the server says in an error's page; "" where the answer is not one. */
function reasonIn(answer) {
  const page = new DOMParser().parseFromString(answer, "text/html");
  return page.querySelector("[data-error]")?.textContent.trim() ?? "";
}

/** What has become of a form that was sent, and what to do. */
function outcomeOf({ status, responseText }) {
  if (status === 401) {
    return "Nothing was begun (401): this wants a function key. Open the page with ?code=KEY.";
  }
  const reason = reasonIn(responseText) || "The server does not say why.";
  if (status < 500) return `Nothing was begun (${status}): ${reason}`;
  return `The server answered with an error (${status}): ${reason} ${AGAIN}`;
}

// Each form has a request_id, so that what was begun and not answered is not begun twice.
const AGAIN = "Send the form again: it is begun once only.";

const LIVE = "#live, [data-live]";
// htmx asks a part for nothing more while it waits for an answer.
const LIVE_MS = 10_000;

export function startLive() {
  const connection = document.getElementById("connection");

  // A page that nobody looks at asks for nothing, and catches up when it is looked at again.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const live of document.querySelectorAll(LIVE)) htmx.trigger(live, "refresh");
  });

  const tell = (text) => {
    connection.textContent = text;
    connection.hidden = false;
  };
  const isLive = (event) => event.detail.elt.matches(LIVE);
  // The live parts whose last answer did not come: what others get makes these no newer.
  const failing = new Set();
  const isOld = (part, why) => {
    failing.add(part.id);
    tell(`${why} What you see is old; trying again.`);
  };
  const failed = (outcome) => {
    tell(outcome);
    // The form's buttons may be far below.
    connection.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("htmx:configRequest", (event) => {
    if (isLive(event)) event.detail.timeout = LIVE_MS;
  });
  for (const silence of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(silence, (event) => {
      const why = "The server does not answer.";
      if (isLive(event)) isOld(event.detail.elt, why);
      else failed(`${why} ${AGAIN}`);
    });
  }
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (isLive(event)) isOld(event.detail.elt, `The server answered with an error (${xhr.status}).`);
    else failed(outcomeOf(xhr));
  });
  // Not after a swap: a part that is as it was is answered with nothing.
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    if (!detail.successful) return;
    failing.delete(detail.elt.id);
    const isAnyOld = [...failing].some((id) => document.getElementById(id));
    if (!isAnyOld) connection.hidden = true;
  });

  // What a person has opened stays open.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "open" && node.tagName === "DETAILS");
  // What a script has drawn, as a map, is its own.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !node.matches?.("[data-keep]");
}
