// A pipeline's document and what can be done to it. No DOM: each function takes a document and
// gives another; the first is not changed.

import { mapExpressions, referencesOf, renamedIn } from "./references.js";

const FORMAT = "geoforge.pipeline/1";
const LONGEST_ID = 40;

export const emptyDocument = () => ({ format: FORMAT, name: "", title: "", steps: [] });

export const stepOf = (document, id) => document.steps.find((step) => step.id === id);
const indexOf = (document, id) => document.steps.findIndex((step) => step.id === id);

/** completed_with_errors -> "Completed with errors" */
export function heading(name) {
  const text = name.replaceAll("_", " ");
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

export const titleOf = (step) => step.title || heading(step.id);

/** A name in small letters, digits and _ that begins with a letter, made of any text. */
export function nameFrom(text, longest) {
  const plain = text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  const name = plain.replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+/, "").slice(0, longest);
  return name.replace(/_+$/, "");
}

/** A step's id that is free: load, load_2, load_3. */
export function freeId(document, wanted) {
  const base = nameFrom(wanted, LONGEST_ID - 4) || "step";
  const taken = new Set(document.steps.map((step) => step.id));
  if (!taken.has(base)) return base;
  let number = 2;
  while (taken.has(`${base}_${number}`)) number += 1;
  return `${base}_${number}`;
}

function withPosition(document, id, at) {
  if (!at && !document.layout) return document;
  const { [id]: _, ...rest } = document.layout ?? {};
  const layout = at ? { ...rest, [id]: { x: Math.max(0, Math.round(at.x)), y: Math.max(0, Math.round(at.y)) } } : rest;
  const { layout: __, ...without } = document;
  return Object.keys(layout).length ? { ...without, layout } : without;
}

/**
 * With a new step: of a job type, or an approval where `job` is "". It comes after the step
 * `after`, where one is named. Returns {document, id}.
 */
export function addStep(document, job, { after, at } = {}) {
  const id = freeId(document, job || "approval");
  const step = job
    ? { id, kind: "job", job, parameters: {} }
    : { id, kind: "gate", message: "Should the run go on?" };
  if (after && stepOf(document, after)) step.after = [after];
  const index = after ? indexOf(document, after) + 1 : document.steps.length;
  const steps = document.steps.toSpliced(index || document.steps.length, 0, step);
  const position = Object.keys(document.layout ?? {}).length ? at : undefined;
  return { document: withPosition({ ...document, steps }, id, position), id };
}

/** With a copy of a step, right behind it. Returns {document, id}. */
export function duplicateStep(document, id) {
  const step = stepOf(document, id);
  const copy = { ...structuredClone(step), id: freeId(document, step.id.replace(/_\d+$/, "")) };
  if (step.title) copy.title = `${step.title} (copy)`.slice(0, 200);
  const at = document.layout?.[id];
  const steps = document.steps.toSpliced(indexOf(document, id) + 1, 0, copy);
  const beside = at && { x: at.x + 40, y: at.y + 40 };
  return { document: withPosition({ ...document, steps }, copy.id, beside), id: copy.id };
}

/** Without a step. Those that waited for it wait for what it waited for; expressions stay. */
export function removeStep(document, id) {
  const gone = stepOf(document, id);
  const steps = document.steps.filter((step) => step.id !== id).map((step) => {
    if (!step.after?.includes(id)) return step;
    const after = step.after.flatMap((each) => (each === id ? gone.after ?? [] : [each]));
    return withAfter(step, [...new Set(after)].filter((each) => each !== step.id));
  });
  return withPosition({ ...document, steps }, id, undefined);
}

function withAfter(step, after) {
  const { after: _, ...rest } = step;
  return after.length ? { ...rest, after } : rest;
}

/** With other fields of a step; those that are undefined are left out. */
export function updateStep(document, id, fields) {
  const steps = document.steps.map((step) => {
    if (step.id !== id) return step;
    const merged = { ...step, ...fields };
    return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
  });
  return { ...document, steps };
}

/** With a step under another id, in all that refers to it. The id must be free. */
export function renameStep(document, id, to) {
  const rename = (text) => renamedIn(text, id, to);
  const steps = document.steps.map((step) => {
    const renamed = { ...step, id: step.id === id ? to : step.id };
    if (step.after) renamed.after = step.after.map((each) => (each === id ? to : each));
    for (const field of ["when", "for_each"]) if (step[field]) renamed[field] = rename(step[field]);
    if (step.parameters) renamed.parameters = mapExpressions(step.parameters, rename);
    return renamed;
  });
  if (!document.layout?.[id]) return { ...document, steps };
  const layout = Object.fromEntries(Object.entries(document.layout).map(([each, at]) => [each === id ? to : each, at]));
  return { ...document, steps, layout };
}

/** With a step before or behind others in the list. */
export function moveStep(document, id, index) {
  const from = indexOf(document, id);
  const to = Math.min(Math.max(index, 0), document.steps.length - 1);
  if (from < 0 || from === to) return document;
  return { ...document, steps: document.steps.toSpliced(from, 1).toSpliced(to, 0, document.steps[from]) };
}

/** With a step at a place of the drawing. All steps get one: those that had none where they stand. */
export function placeStep(document, id, at, standing) {
  const places = Object.fromEntries(document.steps.map((step) => [step.id, standing[step.id]]));
  return withPosition({ ...document, layout: { ...places, ...document.layout } }, id, at);
}

/** With the steps where the layers put them. */
export function arrange(document) {
  const { layout: _, ...rest } = document;
  return rest;
}

/** Of each step, those that must have ended before: {id: Set}. */
export function dependencies(document) {
  const known = new Set(document.steps.map((step) => step.id));
  return Object.fromEntries(document.steps.map((step) => {
    const all = new Set([...(step.after ?? []), ...referencesOf(step)]);
    return [step.id, new Set([...all].filter((each) => known.has(each) && each !== step.id))];
  }));
}

/** Whether a step waits for another, also through others. */
export function waitsFor(document, id, other) {
  const all = dependencies(document);
  const seen = new Set();
  const queue = [id];
  while (queue.length) {
    for (const each of all[queue.pop()] ?? []) {
      if (each === other) return true;
      if (!seen.has(each)) queue.push(each);
      seen.add(each);
    }
  }
  return false;
}

/** Why a step cannot be made to wait for another; "" where it can. */
export function whyNotConnect(document, from, to) {
  if (from === to) return "A step cannot wait for itself.";
  if (dependencies(document)[to]?.has(from)) return "It waits for that step already.";
  if (waitsFor(document, from, to)) return "They would wait for each other.";
  return "";
}

/** With `to` waiting for `from`. */
export function connect(document, from, to) {
  const step = stepOf(document, to);
  return updateStep(document, to, { after: [...(step.after ?? []), from] });
}

/** With `to` not waiting for `from` any more, as far as that is said and not used. */
export function disconnect(document, from, to) {
  const after = (stepOf(document, to).after ?? []).filter((each) => each !== from);
  return updateStep(document, to, { after: after.length ? after : undefined });
}

/** Whether `to` uses what `from` gives, so that the edge stays until the expression is changed. */
export const uses = (document, from, to) => referencesOf(stepOf(document, to)).has(from);
