// Drawings of geometries: closer, farther, moved; by buttons, wheel, pointer and keys.
// Without this script a drawing shows all of its geometry, and stays as it is.

const CLOSEST = 200;
const STEP = 1.5;

export function startDrawings() {
  // On the document: a live page swaps its drawings.
  document.addEventListener("click", onClick);
  document.addEventListener("change", onToggle);
  document.addEventListener("keydown", onKey);
  // Not passive: with Ctrl held, or while the drawing has the focus, the wheel is the drawing's.
  document.addEventListener("wheel", onWheel, { passive: false });
  document.addEventListener("pointerdown", onPointerDown);
}

const drawingOf = (target) => target.closest?.("[data-drawing]")?.querySelector("svg");

function view(svg) {
  const box = svg.viewBox.baseVal;
  svg.dataset.whole ??= `${box.width} ${box.height}`;
  const [width, height] = svg.dataset.whole.split(" ").map(Number);
  return { x: box.x, y: box.y, zoom: width / box.width, width, height };
}

function show(svg, { x, y, zoom, width, height }) {
  const within = (value, extent) => Math.min(Math.max(value, 0), extent - extent / zoom);
  const numbers = [within(x, width), within(y, height), width / zoom, height / zoom];
  svg.setAttribute("viewBox", numbers.join(" "));
  // Labels and dots keep their size on the screen.
  svg.style.setProperty("--zoom", zoom);
  svg.toggleAttribute("data-closer", zoom > 1);
}

/** Zoom by a factor, keeping the place at (share of width, share of height) where it is. */
function zoomBy(svg, factor, across = 0.5, down = 0.5) {
  const at = view(svg);
  const zoom = Math.min(Math.max(at.zoom * factor, 1), CLOSEST);
  const x = at.x + across * at.width * (1 / at.zoom - 1 / zoom);
  const y = at.y + down * at.height * (1 / at.zoom - 1 / zoom);
  show(svg, { ...at, x, y, zoom });
}

function moveBy(svg, across, down) {
  const at = view(svg);
  const x = at.x + (across * at.width) / at.zoom;
  const y = at.y + (down * at.height) / at.zoom;
  show(svg, { ...at, x, y });
}

function onClick(event) {
  const button = event.target.closest("[data-zoom]");
  if (!button) return;
  const svg = drawingOf(button);
  if (button.dataset.zoom === "all") zoomBy(svg, 1 / CLOSEST);
  else zoomBy(svg, button.dataset.zoom === "in" ? STEP : 1 / STEP);
}

function onToggle(event) {
  const { toggle } = event.target.dataset;
  if (!toggle) return;
  const parts = event.target.closest(".drawings").querySelectorAll(`.drawn-${toggle}`);
  for (const part of parts) part.classList.toggle("drawn-hidden", !event.target.checked);
}

const KEYS = {
  "+": (svg) => zoomBy(svg, STEP),
  "=": (svg) => zoomBy(svg, STEP),
  "-": (svg) => zoomBy(svg, 1 / STEP),
  0: (svg) => zoomBy(svg, 1 / CLOSEST),
  ArrowLeft: (svg) => moveBy(svg, -0.1, 0),
  ArrowRight: (svg) => moveBy(svg, 0.1, 0),
  ArrowUp: (svg) => moveBy(svg, 0, -0.1),
  ArrowDown: (svg) => moveBy(svg, 0, 0.1),
};

function onKey(event) {
  const svg = event.target.closest?.("[data-drawing] svg");
  const act = KEYS[event.key];
  if (!svg || !act || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  act(svg);
}

function onWheel(event) {
  const svg = event.target.closest?.("[data-drawing] svg");
  if (!svg || !(event.ctrlKey || svg === document.activeElement)) return;
  event.preventDefault();
  const place = svg.getBoundingClientRect();
  const across = (event.clientX - place.left) / place.width;
  const down = (event.clientY - place.top) / place.height;
  zoomBy(svg, event.deltaY < 0 ? STEP : 1 / STEP, across, down);
}

function onPointerDown(event) {
  const svg = event.target.closest?.("[data-drawing] svg");
  // A finger scrolls the page until the drawing is closer.
  if (!svg || event.button !== 0 || view(svg).zoom === 1) return;
  const place = svg.getBoundingClientRect();
  let last = event;
  const move = (next) => {
    const across = (last.clientX - next.clientX) / place.width;
    moveBy(svg, across, (last.clientY - next.clientY) / place.height);
    last = next;
  };
  const end = () => {
    svg.removeEventListener("pointermove", move);
    svg.removeEventListener("pointerup", end);
    svg.removeEventListener("pointercancel", end);
  };
  svg.setPointerCapture(event.pointerId);
  svg.addEventListener("pointermove", move);
  svg.addEventListener("pointerup", end);
  svg.addEventListener("pointercancel", end);
}
