// The map of a dataset of H3 statistics, and of one cell all of them.

import { CellsLayer } from "./cells_layer.js";
import { made } from "./elements.js";
import { MapFigure, startEach } from "./figure.js";

/** Begin the map of cells of the page, if it has one. */
export const start = () => startEach("[data-cells-map]", CellsMap);

class CellsMap extends MapFigure {
  async start() {
    const facts = JSON.parse(this.figure.dataset.facts);
    const instead = "This is only where the cells are.";
    if (!this.open({ bounds: facts.bounds, instead, parts: ["span"] })) return;
    this.cells = new CellsLayer(this.map, facts, {
      tell: (what) => this.hear(what),
      legend: (name) => this.part(name),
      selected: this.colour("--map-selected"),
    });
    this.onPlace(({ point }) => this.read(point), () => this.letGo());
    this.part("span")?.addEventListener("change", ({ target }) => {
      this.cells.span(target.value === "view");
    });
    await this.map.once("load");
    this.map.on("mousemove", this.cells.cells, () => this.cursor("pointer"));
    this.map.on("mouseleave", this.cells.cells, () => this.cursor(""));
    await this.cells.show();
  }

  /** Say what has become of the cells. */
  hear({ state, text, shown }) {
    if (shown !== undefined) {
      this.part("shown").textContent = shown;
      // Other cells are there: the one that was read is not marked any more.
      this.tell();
    }
    if (state === "loading") delete this.figure.dataset.trouble;
    if (text) this.say(text);
    if (state === "ready" && !text) this.settle(state);
    else this.figure.dataset.state = state;
  }

  /** Read all statistics of the cell at a point of the map. */
  async read(point) {
    const cell = this.cells.at(point);
    this.cells.choose(cell);
    if (!cell) {
      this.tell();
      return;
    }
    const title = made("h3", `Cell ${cell.id}`);
    const reading = this.tell(title, made("p", "Reading…"));
    const told = await this.cells.told(cell);
    // Another cell was chosen, or none any more, while this one was on its way.
    if (reading === this.turns) this.tell(title, ...told);
  }

  letGo() {
    this.cells.choose();
    this.tell();
  }

  /** Show this, or nothing, beside the map. Returns the number of the reading. */
  tell(...parts) {
    this.part("values").replaceChildren(...parts);
    return ++this.turns;
  }
}
