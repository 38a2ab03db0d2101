// Geometries before and after their repair: two maps that look at the same place, one over the
// other with a line between them to be moved, or side by side.

import { get } from "../api.js";
import { boxAround } from "./boxes.js";
import { MapFigure, startEach } from "./figure.js";
import { fit, openMap } from "./map.js";

const SOURCE = "repairs";
// A repair is looked at from this far at least around it, in degrees.
const AROUND = 0.0005;

/** Begin the maps of repairs of the page, if it has them. */
export const start = () => startEach("[data-repairs-map]", RepairsMap);

class RepairsMap extends MapFigure {
  async start() {
    const { data, repair, bounds } = this.figure.dataset;
    const whole = JSON.parse(bounds);
    const without = { instead: "The drawings show the repair.", parts: ["compare"] };
    if (!this.open({ bounds: whole, ...without })) return;
    try {
      this.after = this.secondMap(whole);
    } catch (error) {
      // A browser draws only so many maps at once, and one of the two is of no use.
      this.goWithout(error, without);
      this.part("after").hidden = true;
      this.figure.classList.remove("map-drawn");
      delete this.figure.map;
      this.map.remove();
      return;
    }
    this.listen();
    this.compare();
    this.say("Loading the repairs…");
    this.figure.dataset.state = "loading";
    const [answer] = await Promise.all([
      get(data), this.map.once("load"), this.after.once("load"),
    ]);
    if (!answer.ok) {
      this.say(`The repairs could not be loaded. ${answer.body.detail}`);
      this.figure.dataset.state = "failed";
      return;
    }
    this.features = answer.body.features;
    this.draw(this.map, "before", "--map-before");
    this.draw(this.after, "after", "--map-after");
    this.choose(Number(repair));
    await Promise.all([this.map.once("idle"), this.after.once("idle")]);
    this.settle("ready");
  }

  /** The map of what is after, which the first one leads and is led by. */
  secondMap(bounds) {
    const element = this.part("after");
    element.hidden = false;
    const { land, worker } = this.figure.dataset;
    const map = openMap(element, { land, worker, bounds });
    map.on("error", ({ error }) => this.trouble(error));
    let isLed = false;
    const lead = (from, to) => from.on("move", () => {
      if (isLed) return;
      isLed = true;
      to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
      isLed = false;
    });
    lead(this.map, map);
    lead(map, this.map);
    return map;
  }

  listen() {
    this.part("swipe").addEventListener("input", () => this.swipe());
    for (const each of this.figure.querySelectorAll('[name="compare"]')) {
      each.addEventListener("change", () => this.compare());
    }
    this.figure.addEventListener("click", (event) => {
      const link = event.target.closest("a[data-repair]");
      if (!link || !this.features || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      history.replaceState(null, "", link.href);
      this.choose(Number(link.dataset.repair));
    });
  }

  /** One over the other, or side by side. */
  compare() {
    const { value } = this.figure.querySelector('[name="compare"]:checked');
    this.part("maps").classList.toggle("maps-beside", value === "beside");
    this.part("swipe").closest("label").hidden = value === "beside";
    this.map.resize();
    this.after.resize();
    this.swipe();
    // The maps have another form now. A flight would end as soon as they hear of it.
    if (this.features) this.choose(this.repair, { atOnce: true });
  }

  swipe() {
    const isBeside = this.part("maps").classList.contains("maps-beside");
    const share = Number(this.part("swipe").value);
    this.part("after").style.clipPath = isBeside ? "" : `inset(0 0 0 ${share}%)`;
    this.part("line").style.left = `${share}%`;
    this.part("line").hidden = isBeside;
  }

  draw(map, role, name) {
    const color = this.colour(name);
    const features = this.features.filter(({ properties }) => properties._role === role);
    map.addSource(SOURCE, {
      // As exact as it is: what a repair changes may be a hair's breadth.
      type: "geojson", tolerance: 0, data: { type: "FeatureCollection", features },
    });
    map.addLayer({
      id: "fill", type: "fill", source: SOURCE, filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": color, "fill-opacity": 0.22 },
    });
    map.addLayer({
      id: "line", type: "line", source: SOURCE, paint: { "line-color": color, "line-width": 2 },
    });
    map.addLayer({
      id: "vertex", type: "circle", source: SOURCE, filter: ["==", ["geometry-type"], "Point"],
      paint: { "circle-color": color, "circle-radius": 5 },
    });
    const faults = this.features.filter(({ properties }) => properties._role === "fault");
    map.addSource("faults", { type: "geojson", data: { type: "FeatureCollection", features: faults } });
    map.addLayer({
      id: "faults", type: "circle", source: "faults",
      paint: {
        "circle-radius": 9, "circle-opacity": 0,
        "circle-stroke-color": this.colour("--map-ink"), "circle-stroke-width": 2,
      },
    });
  }

  /** Look at a repair: where its fault is, or all of it. */
  choose(repair, how) {
    this.repair = repair;
    for (const each of this.figure.querySelectorAll("a[data-repair]")) {
      if (Number(each.dataset.repair) === repair) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    const own = this.features.filter(({ properties }) => properties._repair === repair);
    const box = boxAround(own.map(({ geometry }) => geometry));
    if (box) fit(this.map, wider(box), how);
    this.part("chosen").textContent = own.length
      ? own[0].properties._detail ?? ""
      : "Nothing that could be drawn is kept of this repair.";
  }
}

const wider = ([west, south, east, north]) => [
  west - AROUND, south - AROUND, east + AROUND, north + AROUND,
];
