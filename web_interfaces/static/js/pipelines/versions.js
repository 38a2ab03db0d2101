// The versions of the pipeline in the builder: compared, and brought back into the drawing.

import { get, withKey } from "../api.js";
import { announce, byId, h } from "./dom.js";

export function startVersions(store) {
  const dialog = byId("versions-dialog");
  const fail = (answer) => {
    byId("versions-error").textContent = answer.ok ? "" : answer.body.detail;
    byId("versions-error").hidden = answer.ok;
  };
  const bringBack = async (version) => {
    const answer = await get(`/api/pipelines/${store.name}?version=${version}`);
    fail(answer);
    if (!answer.ok) return;
    dialog.close();
    store.change(answer.body.document, `bring version ${version} back`);
    announce(`This is what version ${version} said. Save it to make it the newest.`);
  };
  byId("versions-button").addEventListener("click", async () => {
    const answer = await get(`/api/pipelines/${store.name}/versions`);
    fail(answer);
    byId("versions-list").replaceChildren(...(answer.ok ? answer.body.versions : []).map((each) => row(store, each, bringBack)));
    dialog.showModal();
  });
}

function row(store, { version, created_at: at, problems, note }, bringBack) {
  const compare = withKey(`/api/interface/pipelines/${store.name}/compare?from=${version}&to=${store.version}`);
  const when = new Date(at).toLocaleString("en", { dateStyle: "medium", timeStyle: "short" });
  const isPresent = version === store.version;
  return h("li", { "aria-current": isPresent && "true" },
    h("strong", {}, `Version ${version}`), " ", h("span", { class: "quiet" }, `${when}${problems ? ", draft" : ""}`),
    note && h("span", { class: "versions-note" }, note),
    !isPresent && h("span", { class: "actions" },
      h("a", { class: "button", href: compare, target: "_blank", rel: "noopener" }, "Compare", h("span", { class: "visually-hidden" }, ` version ${version} with ${store.version}`)),
      h("button", { type: "button", class: "button", onclick: () => bringBack(version) }, "Bring back", h("span", { class: "visually-hidden" }, ` version ${version}`))));
}
