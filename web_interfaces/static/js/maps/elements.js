// Elements that the maps put into the page. What they say comes from sources: text, never HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An element with a text. */
export function made(tag, text = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

/** A button that does something, and no form's. */
export function button(text, onClick) {
  const element = made("button", text, "button");
  element.type = "button";
  element.addEventListener("click", onClick);
  return element;
}

/** A list of [name, value] pairs. */
export function values(pairs) {
  const list = made("dl", "", "values");
  for (const [name, value] of pairs) {
    const row = document.createElement("div");
    row.append(made("dt", name), made("dd", String(value)));
    list.append(row);
  }
  return list;
}

/** An entry of a legend, as the templates have it. */
export function legendEntry({ label, color, outline = color, kind, radius = 5, description }) {
  const swatch = document.createElementNS(SVG, "svg");
  swatch.setAttribute("viewBox", "0 0 20 14");
  swatch.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(SVG, { circle: "circle", line: "line" }[kind] ?? "rect");
  const sizes = {
    circle: { cx: 10, cy: 7, r: radius, fill: color, stroke: outline },
    line: { x1: 1, x2: 19, y1: 7, y2: 7, stroke: color, "stroke-width": 3 },
    fill: { x: 1, y: 1, width: 18, height: 12, rx: 2, fill: color, stroke: outline },
  };
  for (const [name, value] of Object.entries(sizes[kind] ?? sizes.fill)) {
    shape.setAttribute(name, value);
  }
  swatch.append(shape);
  const text = made("span", label);
  if (description) text.append(" ", made("span", description, "quiet"));
  const item = document.createElement("li");
  item.append(swatch, text);
  return item;
}

/** A picture that cannot be drawn says so. */
export function replaceBroken(picture) {
  const replace = () => picture.replaceWith(made("span", "cannot be drawn", "raster-none"));
  if (picture.complete && picture.naturalWidth === 0 && picture.currentSrc) replace();
  else picture.addEventListener("error", replace);
}
