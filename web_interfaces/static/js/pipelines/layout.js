// Where steps stand and how edges go. No DOM. web_interfaces/pipelines/drawing.py computes the same
// for the pages that show a pipeline; what it says about layers, lanes and implied
// edges holds here, but that those are drawn too, straight: so they can be removed.
// All lengths are pixels.

import { dependencies } from "./document.js";
import { referencesOf } from "./references.js";

export const WIDTH = 224;
export const HEIGHT = 88;
const GAP_ACROSS = 32;
const GAP_DOWN = 56;
const MARGIN = 24;
const LANE = 24;
const LEAST_BEND = 40;
const MOST_IMPLIED = 40;

/** The steps in layers, each below all that it waits for; a circle is the last layer. */
export function layersOf(waits) {
  const left = new Map(Object.entries(waits));
  const done = new Set();
  const found = [];
  while (left.size) {
    const ready = [...left.keys()].filter((id) => [...left.get(id)].every((each) => done.has(each)));
    const layer = ready.length ? ready : [...left.keys()];
    found.push(layer);
    for (const id of layer) {
      done.add(id);
      left.delete(id);
    }
  }
  return found;
}

/** Of each step those it waits for from which an edge has lanes: not those that others imply. */
function laidOut(waits, carried, layers) {
  const implied = impliedIn(waits, layers);
  const ids = Object.keys(waits);
  const carrying = ids.reduce((sum, id) => sum + [...implied[id]].filter((each) => carried[id].has(each)).length, 0);
  const stays = (id, source) => !implied[id].has(source) || (carrying <= MOST_IMPLIED && carried[id].has(source));
  return Object.fromEntries(ids.map((id) => [id, new Set([...waits[id]].filter((source) => stays(id, source)))]));
}

/** Of each step those it waits for that another of them waits for, also through others; by ways
 *  down the layers, as within a circle each edge would imply the others. */
function impliedIn(waits, layers) {
  const before = new Map();
  const implied = {};
  for (const layer of layers) {
    const found = layer.map((id) => {
      const above = [...waits[id]].filter((each) => before.has(each));
      const behind = new Set(above.flatMap((each) => [...before.get(each)]));
      implied[id] = new Set([...waits[id]].filter((each) => behind.has(each)));
      return [id, new Set([...behind, ...above])];
    });
    for (const [id, all] of found) before.set(id, all);
  }
  return implied;
}

const laneKey = (source, target, layer) => `${source} ${target} ${layer}`;
const top = (layer) => MARGIN + layer * (HEIGHT + GAP_DOWN);
const widthOf = (place) => (place.lane ? LANE : WIDTH);

function inLayers(waits, layers) {
  const order = Object.keys(waits);
  const layerOf = new Map(layers.flatMap((layer, index) => layer.map((id) => [id, index])));
  const rows = layers.map((layer) => layer.map((id) => ({ key: id, id })));
  for (const target of order) {
    for (const source of inOrder(waits[target], order)) {
      for (let layer = layerOf.get(source) + 1; layer < layerOf.get(target); layer += 1) {
        rows[layer].push({ key: laneKey(source, target, layer), lane: { source, target, layer } });
      }
    }
  }
  const middles = new Map();
  for (const row of rows) {
    const pulls = new Map(row.map((place) => [place, pull(place, waits, layerOf, middles)]));
    row.sort((a, b) => pulls.get(a) - pulls.get(b));
    const width = row.reduce((sum, place) => sum + widthOf(place), 0) + GAP_ACROSS * (row.length - 1);
    let x = -width / 2;
    for (const place of row) {
      middles.set(place.key, x + widthOf(place) / 2);
      x += widthOf(place) + GAP_ACROSS;
    }
  }
  const places = rows.flat();
  const left = places.reduce((least, place) => Math.min(least, middles.get(place.key) - widthOf(place) / 2), 0) - MARGIN;
  const corners = Object.fromEntries(order.map((id) => [id, { x: middles.get(id) - WIDTH / 2 - left, y: top(layerOf.get(id)) }]));
  const lanes = {};
  for (const { key, lane } of places.filter((place) => place.lane)) {
    const edge = `${lane.source} ${lane.target}`;
    (lanes[edge] ??= []).push({ x: middles.get(key) - left, y: top(lane.layer) + HEIGHT / 2 });
  }
  return { corners, lanes };
}

const inOrder = (ids, order) => order.filter((id) => ids.has(id));

/** Where a place would stand for its edges to be straight: below what it follows. */
function pull({ id, lane }, waits, layerOf, middles) {
  if (lane) return middles.get(laneKey(lane.source, lane.target, lane.layer - 1)) ?? middles.get(lane.source) ?? 0;
  const above = [...waits[id]].map((source) =>
    middles.get(laneKey(source, id, layerOf.get(id) - 1)) ?? middles.get(source)).filter((x) => x !== undefined);
  return above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : 0;
}

function beside(given, waits) {
  const corners = { ...given };
  for (const id of Object.keys(waits)) {
    if (corners[id]) continue;
    const above = [...waits[id]].filter((source) => corners[source]).map((source) => corners[source].x);
    const bottom = Math.max(...Object.values(corners).map(({ y }) => y)) + HEIGHT + GAP_DOWN;
    corners[id] = { x: above.length ? above.reduce((sum, x) => sum + x, 0) / above.length : MARGIN, y: bottom };
  }
  return { corners, lanes: {} };
}

/** {cards: {id: {x, y}}, edges: [{source, target, carries, isImplied, lanes, path}], width, height}. */
export function draw(document) {
  const waits = dependencies(document);
  const order = Object.keys(waits);
  const layers = layersOf(waits);
  const carried = Object.fromEntries(document.steps.map((step) => [step.id, referencesOf(step)]));
  const shown = laidOut(waits, carried, layers);
  const given = Object.fromEntries(Object.entries(document.layout ?? {}).filter(([id]) => id in waits));
  const { corners, lanes } = Object.keys(given).length ? beside(given, waits) : inLayers(shown, layers);
  const edges = order.flatMap((target) => inOrder(waits[target], order).map((source) => {
    const through = lanes[`${source} ${target}`] ?? [];
    const path = pathOf(corners[source], corners[target], through);
    const isImplied = !shown[target].has(source);
    return { source, target, carries: carried[target].has(source), isImplied, lanes: through, path };
  }));
  const all = Object.values(corners);
  return {
    cards: Object.fromEntries(order.map((id) => [id, corners[id]])),
    edges,
    width: Object.values(lanes).flat().reduce((most, { x }) => Math.max(most, x + LANE / 2), Math.max(WIDTH, ...all.map(({ x }) => x + WIDTH))) + MARGIN,
    height: Math.max(0, ...all.map(({ y }) => y)) + HEIGHT + MARGIN,
  };
}

function pathOf(from, to, lanes) {
  let at = { x: from.x + WIDTH / 2, y: from.y + HEIGHT };
  let path = `M${number(at.x)} ${number(at.y)}`;
  for (const { x, y } of lanes) {
    path += curve(at, { x, y: y - HEIGHT / 2 });
    at = { x, y: y + HEIGHT / 2 };
    path += `L${number(at.x)} ${number(at.y)}`;
  }
  return path + curve(at, { x: to.x + WIDTH / 2, y: to.y });
}

/** A curve that leaves downwards and arrives from above. */
export function curve(start, end) {
  const isStraight = start.x === end.x && end.y > start.y;
  const bend = isStraight ? 0 : Math.max(LEAST_BEND, Math.abs(end.y - start.y) / 2);
  return `C${[start.x, start.y + bend, end.x, end.y - bend, end.x, end.y].map(number).join(" ")}`;
}

const number = (value) => String(Math.round(value * 10) / 10);
