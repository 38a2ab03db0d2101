// The map of layers. The page's address says which layers there are; the server makes the panel
// of it, with a card for each, and the map follows the cards. A link or a form with data-go leads
// to another address: here the panel is exchanged, and the map stays.

/* global Idiomorph */

import { keyHeaders } from "../api.js";
import { sayOn } from "../copying.js";
import { MapFigure, startEach } from "./figure.js";
import { fit } from "./map.js";
import { layerOf } from "./layer_kinds.js";
import { PlacePopup } from "./popup.js";

const PANEL = '[data-part="panel"]';
const NARROW = matchMedia("(max-width: 60rem)");

/** Begin the map of layers of the page, if it has one. */
export const start = () => startEach("[data-layers-map]", LayersMap);

class LayersMap extends MapFigure {
  constructor(figure) {
    super(figure);
    // By their names in the address.
    this.layers = new Map();
    this.states = new Map();
  }

  async start() {
    this.listen();
    const { view } = this.figure.dataset;
    const opened = this.open({
      bounds: JSON.parse(this.figure.dataset.bounds),
      look: view && lookOf(view),
      embedded: NARROW.matches,
      instead: "This is only where the layers are.",
      parts: ["share"],
    });
    if (!opened) return;
    this.popup = new PlacePopup(this.map);
    this.onPlace((place) => this.read(place), () => this.popup.close());
    await this.map.once("load");
    this.map.on("moveend", () => this.remember());
    this.map.on("mousemove", ({ point }) => this.point(point));
    this.follow();
  }

  listen() {
    this.sheet(!NARROW.matches);
    // On the figure: the panel's parts come and go, and a popup has links too.
    this.figure.addEventListener("click", (event) => this.clicked(event));
    this.figure.addEventListener("submit", (event) => {
      if (!event.target.matches("[data-go]") || !this.map) return;
      event.preventDefault();
      const query = new URLSearchParams(new FormData(event.target));
      this.go(`${event.target.action}?${query}`);
    });
    this.figure.addEventListener("change", ({ target }) => {
      if (target.matches("[data-now]") && this.map) target.form.requestSubmit();
    });
    this.figure.addEventListener("input", ({ target }) => {
      if (target.dataset.part === "opacity") {
        this.layers.get(refOf(target))?.fade(Number(target.value) / 100);
      }
    });
    addEventListener("popstate", () => this.go(location.href, { isBack: true }));
  }

  clicked(event) {
    const link = event.target.closest("a[data-go]");
    if (link && this.map && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
      event.preventDefault();
      this.go(link.href);
      return;
    }
    const part = event.target.closest("[data-part]")?.dataset.part;
    if (part === "fit") this.fitTo(JSON.parse(event.target.closest("[data-layer]").dataset.layer));
    else if (part === "share") this.share(event.target);
    else if (part === "sheet") this.sheet(this.part("sheet").getAttribute("aria-expanded") !== "true");
  }

  /** Go to an address of this page: its panel takes the place of the one that is here. */
  async go(address, { isBack = false } = {}) {
    const url = new URL(address, location.href);
    const view = this.view();
    if (!isBack && view) url.searchParams.set("view", view);
    const turn = ++this.turns;
    const panel = await this.fetched(url);
    if (turn !== this.turns) return;
    if (!panel) {
      this.say("The server does not answer as it should. Try again.");
      return;
    }
    this.popup.close();
    const before = [...this.layers.keys()].map(thingOf);
    const focused = this.focused();
    Idiomorph.morph(this.figure.querySelector(PANEL), panel, {
      callbacks: { beforeAttributeUpdated: keepsOwn },
    });
    if (!isBack) history.pushState(null, "", url);
    this.refocus(focused);
    this.follow();
    // What was added may lie elsewhere, and who added it wants to see it.
    const added = [...this.layers.keys()].find((ref) => !before.includes(thingOf(ref)));
    if (added && !isBack) this.bringInto(added);
  }

  /** Which control of the panel has the focus, so that it is found in another; null for none. */
  focused() {
    const element = document.activeElement;
    if (!element.closest(PANEL)) return null;
    const { id, name } = element;
    const card = element.closest("[data-layer]");
    return { element, id, name, thing: card && thingOf(refOf(card)) };
  }

  /** Give the focus to the same control as it is now, if it went with the old panel. */
  refocus(focused) {
    if (!focused || document.activeElement === focused.element) return;
    const { id, name, thing } = focused;
    const card = thing && this.cards().find((each) => thingOf(refOf(each)) === thing);
    const named = name && card?.querySelector(`[name="${CSS.escape(name)}"]:not([type="hidden"])`);
    const heading = document.getElementById("chosen-title");
    // Only for this: a heading is none of what Tab leads to.
    heading.tabIndex = -1;
    ((id && document.getElementById(id)) || named || heading).focus();
  }

  async fetched(url) {
    try {
      const answer = await fetch(url, { headers: keyHeaders() });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      return page.querySelector(`[data-layers-map] ${PANEL}`);
    } catch {
      return null;
    }
  }

  cards() {
    // The topmost is the first.
    return [...this.figure.querySelectorAll("[data-layer]")].reverse();
  }

  /** Draw what the cards say, in their order. */
  follow() {
    const cards = new Map(this.cards().map((card) => [refOf(card), card]));
    for (const [ref, layer] of this.layers) {
      if (cards.has(ref)) continue;
      layer.remove();
      this.layers.delete(ref);
      this.states.delete(ref);
    }
    for (const [ref, card] of cards) {
      if (!("draws" in card.dataset)) continue;
      if (this.layers.has(ref)) {
        this.repeat(ref);
        // The server's legend is that of the whole dataset.
        this.layers.get(ref).recount?.();
      } else this.add(ref, JSON.parse(card.dataset.layer));
    }
    this.stack([...cards.keys()]);
    this.settleAll();
  }

  async add(ref, facts) {
    const layer = layerOf(facts, {
      map: this.map,
      selected: this.colour("--map-selected"),
      tell: (what) => this.hear(ref, what),
      legend: (name) => this.partOf(ref, name),
      here: (text) => this.here(text),
      adding: (names) => this.adding(names),
    });
    this.layers.set(ref, layer);
    await layer.show();
    this.stack(this.cards().map(refOf));
  }

  /** Put the layers above each other in this order. */
  stack(refs) {
    for (const ref of refs) {
      for (const id of this.layers.get(ref)?.ids ?? []) {
        if (this.map.getLayer(id)) this.map.moveLayer(id);
      }
    }
  }

  partOf(ref, name) {
    const card = this.cards().find((each) => refOf(each) === ref);
    return card?.querySelector(`[data-part="${name}"]`);
  }

  /** Say on its card what has become of a layer. */
  hear(ref, { state, text }) {
    this.states.set(ref, { state, text });
    this.repeat(ref);
    this.settleAll();
  }

  repeat(ref) {
    const { state, text } = this.states.get(ref) ?? {};
    const place = this.partOf(ref, "state");
    if (!place) return;
    place.textContent = text ?? "";
    place.hidden = !text;
    place.classList.toggle("layer-failed", state === "failed");
  }

  /** The map is ready when each of its layers is. */
  settleAll() {
    const states = [...this.states.values()].map(({ state }) => state);
    const isLoading = states.includes("loading") || states.length < this.layers.size;
    this.figure.dataset.state = isLoading ? "loading" : states.includes("failed") ? "failed" : "ready";
    if (!isLoading && !this.figure.dataset.trouble) this.say("");
  }

  /** Tell of everything at a place, the topmost first. */
  read(place) {
    const things = this.cards().map(refOf).reverse()
      .flatMap((ref) => this.layers.get(ref)?.at(place) ?? []);
    this.popup.open(place.lngLat, things);
  }

  point(point) {
    const layers = [...this.layers.values()].flatMap(({ ids }) => ids)
      .filter((id) => this.map.getLayer(id) && this.map.getLayer(id).type !== "raster");
    const isOver = layers.length > 0 && this.map.queryRenderedFeatures(point, { layers }).length > 0;
    this.cursor(isOver ? "pointer" : "");
  }

  here(text) {
    const place = this.part("here");
    place.textContent = text;
    place.hidden = !text;
  }

  fitTo({ bounds }) {
    if (bounds) fit(this.map, bounds);
    if (NARROW.matches) this.sheet(false);
  }

  /** Show a layer that was added, unless it is in view. */
  bringInto(ref) {
    const card = this.cards().find((each) => refOf(each) === ref);
    const { bounds } = JSON.parse(card.dataset.layer);
    if (!bounds) return;
    const seen = this.map.getBounds();
    const [west, south, east, north] = bounds;
    const isApart = east < seen.getWest() || west > seen.getEast()
      || north < seen.getSouth() || south > seen.getNorth();
    const share = (east - west) / (seen.getEast() - seen.getWest());
    // Too small to be seen, or elsewhere.
    if (isApart || share < 0.02 || this.layers.size === 1) fit(this.map, bounds);
  }

  /** The address of this map with another layer on top. */
  adding(names) {
    const url = new URL(location.href);
    const ref = names.map(encodeURIComponent).join(":");
    const refs = (url.searchParams.get("layers") ?? "").split(",").filter(Boolean);
    url.searchParams.set("layers", [...refs.filter((each) => each !== ref), ref].join(","));
    return url.href;
  }

  /** `longitude,latitude,zoom`, as the address has it. */
  view() {
    const { lng, lat } = this.map.getCenter();
    return [lng.toFixed(5), lat.toFixed(5), this.map.getZoom().toFixed(2)].join(",");
  }

  /** Write into the address where the map looks. */
  remember() {
    const url = new URL(location.href);
    url.searchParams.set("view", this.view());
    history.replaceState(history.state, "", url);
    for (const input of this.figure.querySelectorAll('input[name="view"]')) input.value = this.view();
  }

  /** Copy the address of what is seen; the reader's own key stays out of it. */
  async share(target) {
    const url = new URL(location.href);
    url.searchParams.delete("code");
    for (const name of ["q", "more"]) url.searchParams.delete(name);
    url.searchParams.set("view", this.view());
    try {
      await navigator.clipboard.writeText(url.href);
      sayOn(target, "Copied");
    } catch {
      // Only pages from https or from this machine may write there; the address has it all.
      sayOn(target, "Copy it from the address bar");
    }
  }

  /** Open or close the sheet that the panel is on a narrow screen. */
  sheet(isOpen) {
    this.part("sheet").setAttribute("aria-expanded", String(isOpen));
  }
}

const refOf = (element) => JSON.parse(element.closest("[data-layer]").dataset.layer).ref;

/** What a layer draws, in whatever style. */
const thingOf = (ref) => (ref.startsWith("raster:") ? ref : ref.split(":", 2).join(":"));

/** What a reader has set stays as it is while the panel is exchanged. */
function keepsOwn(name, node) {
  const { part } = node.dataset ?? {};
  return !(name === "open" || (name === "value" && part === "opacity")
    || (name === "aria-expanded" && part === "sheet"));
}

function lookOf(view) {
  const [lng, lat, zoom] = view.split(",").map(Number);
  return { center: [lng, lat], zoom };
}
