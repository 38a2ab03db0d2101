// What can be added: searched, chosen, or dragged into the drawing (SortableJS).

/* global Sortable */

import * as doc from "./document.js";
import { announce, byId } from "./dom.js";
import { HEIGHT, WIDTH } from "./layout.js";

export function startPalette(store, canvas) {
  const palette = byId("palette");
  const most = Number(byId("builder").dataset.mostSteps);

  const add = (job, where) => {
    if (store.document.steps.length >= most) {
      announce(`A pipeline has at most ${most} steps.`);
      return;
    }
    const { document, id } = doc.addStep(store.document, job, where);
    const title = doc.titleOf(doc.stepOf(document, id));
    store.change(document, `add ${title}`, { select: id });
    announce(where.after ? `${title} is added, after ${doc.titleOf(doc.stepOf(document, where.after))}.` : `${title} is added.`);
  };

  palette.addEventListener("click", (event) => {
    const item = event.target.closest(".palette-item");
    if (item) add(item.dataset.job, { after: store.selected });
  });
  palette.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const all = [byId("palette-search"), ...palette.querySelectorAll(".palette-item:not([hidden]) button")];
    const next = all[all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)];
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
  byId("palette-search").addEventListener("input", ({ target }) => search(palette, target.value));
  // On a phone the drawing comes first.
  if (window.matchMedia("(max-width: 60rem)").matches) palette.open = false;

  for (const list of palette.querySelectorAll(".palette-list")) {
    Sortable.create(list, {
      group: { name: "steps", pull: "clone", put: false },
      sort: false,
      draggable: ".palette-item",
      // By pointer events, so that it is the same with mouse, pen and finger.
      forceFallback: true,
      fallbackOnBody: true,
      fallbackTolerance: 4,
      delay: 150,
      delayOnTouchOnly: true,
      onEnd: ({ item, to, from, originalEvent: event }) => {
        if (to === from) return;
        item.remove();
        const place = event.changedTouches?.[0] ?? event;
        const { x, y } = canvas.pointIn(place);
        const onto = canvas.stepAt(place);
        add(item.dataset.job, { after: onto, at: { x: x - WIDTH / 2, y: y - HEIGHT / 2 } });
      },
    });
  }
  Sortable.create(byId("canvas-steps"), { group: { name: "canvas", put: ["steps"] }, sort: false, draggable: ".palette-item" });
}

function search(palette, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const group of palette.querySelectorAll(".palette-group")) {
    const items = [...group.querySelectorAll(".palette-item")];
    for (const item of items) item.hidden = !words.every((word) => item.dataset.search.includes(word));
    const shown = items.filter((item) => !item.hidden).length;
    group.hidden = shown === 0;
    found += shown;
  }
  byId("palette-none").hidden = found > 0;
}
