// The live part of a page: htmx asks for it every two seconds and morphs what is there.

/* global htmx, Idiomorph */

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

  for (const name of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(name, () => { connection.hidden = false; });
  }
  document.addEventListener("htmx:afterSwap", () => { connection.hidden = true; });

  // What a person has opened stays open.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "open" && node.tagName === "DETAILS");
}
