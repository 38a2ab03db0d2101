// What an expression of a step can use: inputs, and what earlier steps give. No DOM.

import { titleOf, waitsFor } from "./document.js";

const DEEPEST = 4;
const MOST = 60;

const SCALARS = { string: "text", integer: "whole number", number: "number", boolean: "yes or no", null: "nothing", object: "object" };

/** The schema with its $ref followed, and whether it may be null. */
function resolved(schema, root) {
  let merged = schema ?? {};
  let isNullable = false;
  for (let turn = 0; turn < 10; turn += 1) {
    if (merged.$ref) {
      const { $ref, ...rest } = merged;
      merged = { ...(root.$defs ?? {})[$ref.split("/").at(-1)], ...rest };
    } else if (merged.anyOf?.some((each) => each.type === "null") && merged.anyOf.length === 2) {
      const { anyOf, ...rest } = merged;
      isNullable = true;
      merged = { ...anyOf.find((each) => each.type !== "null"), ...rest };
    } else break;
  }
  return { schema: merged, isNullable };
}

/** What values of a schema are, in words. */
export function typeWords(schema, root = schema) {
  const { schema: plain, isNullable } = resolved(schema, root);
  const or = isNullable ? " or nothing" : "";
  if (plain.type === "array") return `list${plain.items ? ` of ${typeWords(plain.items, root)}` : ""}${or}`;
  return (SCALARS[plain.type] ?? "any value") + or;
}

/** The parts of a value of a schema, each with the path to it: [{path, type, help}]. */
export function partsOf(schema, at, root = schema, depth = 0) {
  const { schema: plain } = resolved(schema, root);
  const found = [{ path: at, type: typeWords(schema, root), help: plain.description ?? "" }];
  if (depth >= DEEPEST) return found;
  if (plain.type === "array" && plain.items) {
    const { schema: item } = resolved(plain.items, root);
    // The first value, with its parts; of each part, the list over all values.
    found.push(...partsOf(plain.items, `${at}[0]`, root, depth + 1));
    for (const [name, each] of Object.entries(item.properties ?? {})) {
      found.push({ path: `${at}[:].${name}`, type: `list of ${typeWords(each, root)}`, help: each.description ?? "" });
    }
  }
  for (const [name, each] of Object.entries(plain.properties ?? {})) {
    found.push(...partsOf(each, `${at}.${name}`, root, depth + 1));
  }
  return found.slice(0, MOST);
}

const inputType = ({ type, items }) => (type === "list" ? `list of ${SCALARS[items] ?? "values"}` : SCALARS[type] ?? type);

/**
 * What the expressions of a step can use, in groups: [{title, parts: [{path, type, help}]}].
 * `outputs` are the schemas of what steps give, as the server's check tells them.
 */
export function sourcesOf(document, outputs, id) {
  const groups = [];
  const step = document.steps.find((each) => each.id === id);
  if (step?.for_each) {
    groups.push({ title: "The value that this job is for", parts: [
      { path: "item", type: "one value of the list", help: "" },
      { path: "item_index", type: "whole number", help: "Its place in the list, from 0" },
    ] });
  }
  const inputs = Object.entries(document.inputs ?? {});
  if (inputs.length) {
    groups.push({ title: "Inputs", parts: inputs.map(([name, each]) => ({ path: `inputs.${name}`, type: inputType(each), help: each.description ?? "" })) });
  }
  for (const each of document.steps) {
    if (each.id === id || waitsFor(document, each.id, id)) continue;
    const at = `steps.${each.id}`;
    const parts = each.kind === "gate"
      ? [{ path: `${at}.decision`, type: "text", help: "approved or rejected" }, { path: `${at}.note`, type: "text or nothing", help: "" }]
      : outputs?.[each.id] ? partsOf(outputs[each.id], `${at}.outputs`) : [];
    groups.push({ title: titleOf(each), parts: [...parts, { path: `${at}.status`, type: "text", help: "How it ended" }] });
  }
  groups.push({ title: "The run", parts: [
    { path: "run.date", type: "text", help: "The day on which the run was begun" },
    { path: "run.id", type: "text", help: "" },
  ] });
  return groups;
}
