// The live part of a page: htmx asks for it every two seconds and morphs what is there. A form that
// htmx sends comes back with what was wrong; why it does not come back is told here too.

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

export function startLive() {
  const connection = document.getElementById("connection");

  // A page that nobody looks at asks for nothing, and catches up when it is looked at again.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    const live = document.getElementById("live");
    if (live && !document.hidden) htmx.trigger(live, "refresh");
  });

  const tell = (text) => {
    connection.textContent = text;
    connection.hidden = false;
  };
  const isLive = (event) => event.detail.elt.id === "live";
  const isOld = (why) => tell(`${why} What you see is old; trying again.`);
  const failed = (outcome) => {
    tell(outcome);
    // The form's buttons may be far below.
    connection.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("htmx:sendError", (event) => {
    const why = "The server does not answer.";
    if (isLive(event)) isOld(why);
    else failed(`${why} ${AGAIN}`);
  });
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = event.detail;
    if (isLive(event)) isOld(`The server answered with an error (${xhr.status}).`);
    else failed(outcomeOf(xhr));
  });
  document.addEventListener("htmx:afterSwap", () => { connection.hidden = true; });

  // What a person has opened stays open.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "open" && node.tagName === "DETAILS");
  // What a script has drawn, as a map, is its own.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !node.matches?.("[data-keep]");
}
