// The drawing: steps as cards, edges as lines; moved, connected and removed by pointer and by keys.

import * as doc from "./document.js";
import { announce, byId, h } from "./dom.js";
import { curve, draw, HEIGHT, WIDTH } from "./layout.js";

const SVG = "http://www.w3.org/2000/svg";
const FAR_ENOUGH = 5;
const STEP = 16;
const DIRECTIONS = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

export class Canvas {
  constructor(store) {
    this.store = store;
    this.list = byId("canvas-steps");
    this.frame = byId("canvas");
    this.cards = new Map();
    // The step from which a connection is made by keys, until it is.
    this.from = null;
    store.addEventListener("document", () => {
      if (this.from && !doc.stepOf(store.document, this.from)) this.from = null;
    });
    store.addEventListener("document", ({ detail }) => {
      if (!detail.selects) this.render();
    });
    store.addEventListener("check", () => this.render());
    store.addEventListener("selection", ({ detail }) => {
      this.render();
      if (detail.focus === "card") this.focus(store.selected);
    });
    this.list.addEventListener("click", (event) => this.onClick(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("pointerdown", (event) => this.onPointerDown(event));
    this.frame.addEventListener("click", (event) => {
      if (event.target === this.list || event.target === this.frame) store.select(null);
    });
    window.addEventListener("resize", () => {
      if (this.drawing) this.render();
    });
    byId("connect-button").addEventListener("click", () => this.beginConnecting());
    byId("arrange-button").addEventListener("click", () => {
      store.change(doc.arrange(store.document), "arrange the steps");
      announce("The steps stand in layers.");
    });
  }

  // Drawing

  render() {
    const { document, selected } = this.store;
    this.drawing = draw(document);
    const { cards, width, height } = this.drawing;
    for (const [id, item] of this.cards) {
      if (!cards[id]) {
        item.remove();
        this.cards.delete(id);
      }
    }
    for (const step of document.steps) this.list.append(this.item(step));
    this.keepFocus(() => {
      // In the order of the document, which is that of reading; nothing is moved that stands right.
      document.steps.forEach((step, index) => {
        const item = this.cards.get(step.id);
        if (this.list.children[index] !== item) this.list.insertBefore(item, this.list.children[index] ?? null);
      });
    });
    const first = document.steps[0]?.id;
    for (const step of document.steps) this.update(step, step.id === (selected ?? first));
    this.frame.style.height = `${height}px`;
    const shift = Math.max(0, Math.floor((this.frame.clientWidth - width) / 2));
    for (const element of [this.list, byId("canvas-edges")]) {
      element.style.left = `${shift}px`;
      element.style.width = `${width}px`;
      element.style.height = `${height}px`;
    }
    byId("canvas-empty").hidden = document.steps.length > 0;
    this.renderEdges();
  }

  keepFocus(change) {
    const had = document.activeElement;
    change();
    if (had !== document.activeElement && had?.isConnected) had.focus();
  }

  item(step) {
    const known = this.cards.get(step.id);
    if (known) return known.isConnected ? "" : known;
    const item = h("li", { class: "canvas-step", "data-step": step.id },
      h("button", { type: "button", class: "step-card" },
        h("span", { class: "step-kind" }), h("strong", { class: "step-title" }), h("span", { class: "step-note" })),
      h("span", { class: "port", title: "Drag to the step that is to wait for this one", "aria-hidden": "true" }));
    this.cards.set(step.id, item);
    return item;
  }

  update(step, isReachable) {
    const item = this.cards.get(step.id);
    const card = item.firstElementChild;
    const errors = this.store.errorsOf(step.id);
    const [kind, title, note] = card.children;
    kind.textContent = step.kind === "gate" ? "approval" : (step.job ?? "").replaceAll("_", " ");
    title.textContent = doc.titleOf(step);
    note.textContent = errors.length ? `${errors.length} ${errors.length === 1 ? "problem" : "problems"}` : how(step);
    card.className = `step-card${errors.length ? " step-problem" : ""}`;
    card.tabIndex = isReachable ? 0 : -1;
    card.toggleAttribute("data-from", this.from === step.id);
    if (this.store.selected === step.id) card.setAttribute("aria-current", "true");
    else card.removeAttribute("aria-current");
    const { x, y } = this.drawing.cards[step.id];
    item.style.left = `${x}px`;
    item.style.top = `${y}px`;
  }

  renderEdges() {
    byId("edges").replaceChildren(...this.drawing.edges.flatMap(({ source, target, carries, path }) => {
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", `flow-edge${carries ? "" : " flow-edge-after"}`);
      line.setAttribute("d", path);
      line.setAttribute("marker-end", "url(#flow-arrow)");
      const hit = document.createElementNS(SVG, "path");
      hit.setAttribute("class", "edge-hit");
      hit.setAttribute("d", path);
      hit.dataset.source = source;
      hit.dataset.target = target;
      hit.addEventListener("click", () => this.removeEdge(source, target));
      const title = document.createElementNS(SVG, "title");
      title.textContent = carries ? "It uses what the step above gives" : "Click to remove";
      hit.append(title);
      return [line, hit];
    }));
  }

  // What is done

  focus(id) {
    const card = this.cards.get(id)?.firstElementChild;
    card?.focus({ preventScroll: true });
    card?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  onClick(event) {
    const id = event.target.closest(".canvas-step")?.dataset.step;
    if (!id || this.wasDragged) {
      this.wasDragged = false;
      return;
    }
    if (this.from) this.endConnecting(id);
    // A key's click has no place: Enter opens the form, a click of the mouse stays in the drawing.
    else this.store.select(id, event.detail === 0 ? "panel" : "card");
  }

  removeEdge(source, target) {
    const { document } = this.store;
    const [from, to] = [source, target].map((id) => doc.titleOf(doc.stepOf(document, id)));
    if (doc.uses(document, source, target)) {
      this.store.select(target, "panel");
      announce(`${to} uses what ${from} gives. Change the value that does, and the line goes.`);
      return;
    }
    this.store.change(doc.disconnect(document, source, target), `remove the line from ${from} to ${to}`);
    announce(`${to} does not wait for ${from} any more.`);
  }

  connect(source, target) {
    const { document } = this.store;
    const why = doc.whyNotConnect(document, source, target);
    if (why) {
      announce(why);
      return;
    }
    const [from, to] = [source, target].map((id) => doc.titleOf(doc.stepOf(document, id)));
    this.store.change(doc.connect(document, source, target), `connect ${from} and ${to}`);
    announce(`${to} waits for ${from}.`);
  }

  beginConnecting() {
    const { document, selected } = this.store;
    if (!selected || document.steps.length < 2) {
      announce("Choose a step first, and have another to connect it with.");
      return;
    }
    this.from = selected;
    this.render();
    this.focus(selected);
    announce(`Connecting ${doc.titleOf(doc.stepOf(document, selected))}: choose the step that is to wait for it and press Enter, or Escape to stop.`);
  }

  endConnecting(target) {
    const source = this.from;
    this.from = null;
    if (target && target !== source) this.connect(source, target);
    this.render();
    this.focus(target ?? source);
  }

  remove(id) {
    const { document } = this.store;
    const title = doc.titleOf(doc.stepOf(document, id));
    const index = document.steps.findIndex((step) => step.id === id);
    const next = doc.removeStep(document, id);
    const beside = next.steps[Math.min(index, next.steps.length - 1)]?.id ?? null;
    this.store.change(next, `remove ${title}`, { select: beside });
    if (!beside) this.frame.focus();
    announce(`${title} is removed. Ctrl and Z bring it back.`);
  }

  duplicate(id) {
    const { document: next, id: copy } = doc.duplicateStep(this.store.document, id);
    this.store.change(next, `duplicate ${doc.titleOf(doc.stepOf(this.store.document, id))}`, { select: copy });
  }

  reorder(id, by) {
    const { document } = this.store;
    const index = document.steps.findIndex((step) => step.id === id);
    const next = doc.moveStep(document, id, index + by);
    if (next === document) return;
    const title = doc.titleOf(doc.stepOf(document, id));
    this.store.change(next, `move ${title}`);
    announce(`${title} is number ${next.steps.findIndex((step) => step.id === id) + 1} of ${next.steps.length}.`);
  }

  place(id, at, key = null) {
    const title = doc.titleOf(doc.stepOf(this.store.document, id));
    this.store.change(doc.placeStep(this.store.document, id, at, this.drawing.cards), `move ${title} in the drawing`, { key });
  }

  // Keys

  onKey(event) {
    const id = event.target.closest(".canvas-step")?.dataset.step;
    if (!id || event.ctrlKey || event.metaKey) return;
    const direction = DIRECTIONS[event.key];
    if (direction && event.altKey) this.reorder(id, direction[0] + direction[1]);
    else if (direction && event.shiftKey) {
      const { x, y } = this.drawing.cards[id];
      this.place(id, { x: x + direction[0] * STEP, y: y + direction[1] * STEP }, `place ${id}`);
    } else if (direction) this.goTo(this.neighbour(id, direction));
    else if (event.key === "Home" || event.key === "End") this.goTo(this.store.document.steps.at(event.key === "Home" ? 0 : -1).id);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(id);
    else if (event.key === "c" || event.key === "C") {
      this.store.select(id);
      this.beginConnecting();
    } else if (event.key === "d" || event.key === "D") this.duplicate(id);
    else if (event.key === "Escape" && this.from) this.endConnecting(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  goTo(id) {
    if (!id) return;
    // While a connection is made, the form of the other step is not opened.
    if (this.from) this.focus(id);
    else this.store.select(id, "card");
  }

  /** The nearest step in a direction: what is straight ahead before what is nearer but aside. */
  neighbour(id, [across, down]) {
    const { cards } = this.drawing;
    const here = cards[id];
    let best = null;
    let least = Infinity;
    for (const [other, { x, y }] of Object.entries(cards)) {
      const [dx, dy] = [x - here.x, y - here.y];
      const ahead = dx * across + dy * down;
      if (other === id || ahead <= 0) continue;
      const distance = ahead + 2 * Math.abs(dx * down + dy * across);
      if (distance < least) [best, least] = [other, distance];
    }
    return best;
  }

  // Pointer

  /** A place of the window as one of the drawing. */
  pointIn(event) {
    const { left, top } = this.list.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  stepAt(event) {
    return document.elementFromPoint(event.clientX, event.clientY)?.closest(".canvas-step")?.dataset.step ?? null;
  }

  onPointerDown(event) {
    const item = event.target.closest(".canvas-step");
    if (!item || event.button !== 0) return;
    const id = item.dataset.step;
    if (event.target.matches(".port")) this.dragEdge(event, id);
    // A finger scrolls; it moves steps by the keys and commands of others.
    else if (event.pointerType !== "touch") this.dragCard(event, item, id);
  }

  dragCard(event, item, id) {
    const start = this.pointIn(event);
    const from = this.drawing.cards[id];
    let at = null;
    this.follow((moved) => {
      const { x, y } = this.pointIn(moved);
      if (!at && Math.hypot(x - start.x, y - start.y) < FAR_ENOUGH) return;
      at = { x: Math.max(0, from.x + x - start.x), y: Math.max(0, from.y + y - start.y) };
      item.classList.add("canvas-step-moving");
      item.style.left = `${at.x}px`;
      item.style.top = `${at.y}px`;
    }, (isDone) => {
      item.classList.remove("canvas-step-moving");
      if (!at) return;
      // The click that ends a drag chooses nothing.
      this.wasDragged = true;
      setTimeout(() => { this.wasDragged = false; });
      if (isDone) this.place(id, at);
      else this.render();
    });
  }

  dragEdge(event, id) {
    event.preventDefault();
    const line = byId("edge-drawn");
    const { x, y } = this.drawing.cards[id];
    const start = { x: x + WIDTH / 2, y: y + HEIGHT };
    let target = null;
    const mark = (other) => {
      this.cards.get(target)?.classList.remove("canvas-step-target");
      target = other;
      if (target && target !== id) this.cards.get(target)?.classList.add("canvas-step-target");
    };
    this.follow((moved) => {
      line.setAttribute("d", `M${start.x} ${start.y}${curve(start, this.pointIn(moved))}`);
      mark(this.stepAt(moved));
    }, (isDone) => {
      const to = target;
      mark(null);
      line.setAttribute("d", "");
      if (isDone && to && to !== id) this.connect(id, to);
    });
  }

  /** Follow the pointer until it is let go, or the drag is broken off. */
  follow(onMove, onEnd) {
    const controller = new AbortController();
    const { signal } = controller;
    const end = (isDone) => {
      controller.abort();
      onEnd(isDone);
    };
    window.addEventListener("pointermove", onMove, { signal });
    window.addEventListener("pointerup", () => end(true), { signal });
    window.addEventListener("pointercancel", () => end(false), { signal });
    window.addEventListener("keydown", (event) => { if (event.key === "Escape") end(false); }, { signal });
  }
}

function how(step) {
  const parts = [step.for_each ? "for each value of a list" : "", step.when ? "if its condition is met" : ""];
  return parts.filter(Boolean).join(", ");
}
