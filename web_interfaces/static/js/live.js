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

  const isOld = (why) => {
    connection.textContent = `${why} What you see is old; trying again.`;
    connection.hidden = false;
  };
  document.addEventListener("htmx:sendError", () => isOld("The server does not answer."));
  document.addEventListener("htmx:responseError", (event) => {
    isOld(`The server answered with an error (${event.detail.xhr.status}).`);
  });
  document.addEventListener("htmx:afterSwap", () => { connection.hidden = true; });

  // What a person has opened stays open.
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) =>
    !(name === "open" && node.tagName === "DETAILS");
  // What a script has drawn, as a map, is its own.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (node) => !node.matches?.("[data-keep]");
}
