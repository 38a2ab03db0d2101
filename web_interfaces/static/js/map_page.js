// What pages with a map do beyond main.js: each map begins what it needs.

const KINDS = {
  "[data-map]": () => import("./maps/collection_map.js"),
  "[data-raster-map], .raster-items": () => import("./maps/raster_map.js"),
  "[data-cells-map]": () => import("./maps/cells_map.js"),
  "[data-layers-map]": () => import("./maps/layers_map.js"),
  "[data-repairs-map]": () => import("./maps/repairs_map.js"),
};

async function begin() {
  for (const [selector, load] of Object.entries(KINDS)) {
    if (document.querySelector(selector)) (await load()).start();
  }
}

begin();
// A live page may bring its map later.
document.addEventListener("htmx:afterSwap", begin);
