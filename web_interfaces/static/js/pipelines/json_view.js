// The document as JSON: to be read, copied, and replaced by another.

import { announce, byId } from "./dom.js";

export function startJson(store) {
  const text = byId("json-text");
  const fail = (message) => {
    byId("json-error").textContent = message;
    byId("json-error").hidden = !message;
  };
  byId("json-button").addEventListener("click", () => {
    text.value = JSON.stringify(store.document, null, 2);
    fail("");
    byId("json-dialog").showModal();
  });
  byId("json-copy").addEventListener("click", async () => {
    text.select();
    try {
      await navigator.clipboard.writeText(text.value);
      announce("Copied.");
    } catch {
      // Not over plain HTTP: it is marked, for Ctrl and C.
      announce("Press Ctrl and C to copy it.");
    }
  });
  byId("json-take").addEventListener("click", () => {
    let document;
    try {
      document = JSON.parse(text.value);
    } catch (error) {
      fail(`This is not JSON: ${error.message}`);
      return;
    }
    const fault = whyNot(document);
    fail(fault);
    if (fault) return;
    // The name of a pipeline that is kept stays.
    const named = store.version ? { ...document, name: store.name } : document;
    byId("json-dialog").close();
    store.change(named, "take another document");
    store.select(null);
  });
}

/** Why the builder cannot show a document; the rest the server says. */
function whyNot(document) {
  if (document === null || typeof document !== "object" || Array.isArray(document)) return "A pipeline is a JSON object.";
  if (!Array.isArray(document.steps)) return "A pipeline has a list of steps: “steps”.";
  const isStep = (step) => step !== null && typeof step === "object" && typeof step.id === "string";
  if (!document.steps.every(isStep)) return "Each step is an object with a name: “id”.";
  if (new Set(document.steps.map(({ id }) => id)).size < document.steps.length) return "Two steps have the same name: “id”.";
  return "";
}
