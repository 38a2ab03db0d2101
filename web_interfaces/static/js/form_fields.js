// The fields of a form as JSON, and errors beside them. templates/form_parts.html draws them.
//
//   readFields(container)            -> {name: value}; what is left empty is left out
//   writeFields(container, values)   puts values in; fields that are not named are emptied
//   showErrors(container, errors)    errors are [{loc, msg}]; returns those that have no field
//   clearErrors(container)
//   problemsOf(container)            -> [{loc, msg}]: what cannot be read as JSON
//   startExamples()                  examples to click, once for the page
//
// A control that is disabled is not read: whoever puts another input in its place disables it.

/** The fields directly in a container, without the parts of others. */
export function fieldsOf(container) {
  const within = (field) => field.parentElement.closest("[data-field]");
  const outer = container.matches?.("[data-field]") ? container : container.closest?.("[data-field]") ?? null;
  return [...container.querySelectorAll("[data-field]")].filter((field) => within(field) === outer);
}

const controls = (field) => [...field.querySelectorAll("[data-value]")].filter((each) => !each.disabled);
const partsOf = (field) => fieldsOf(field.querySelector(".parts"));
const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const isMadeOfParts = (field) => ["tuple", "object"].includes(field.dataset.kind);

/** The value of a text that is of one of some plain types; the text where it is of no other. */
function scalar(text, types) {
  if (types.includes("boolean") && (text === "true" || text === "false")) return text === "true";
  const isNumber = types.includes("number") || types.includes("integer");
  // What is not a number goes as it is: the API says best what is wrong with it.
  const number = Number(text);
  // Nor does what JSON cannot hold, or not exactly, become something else on the way.
  const isExact = Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
  return isNumber && text.trim() !== "" && isExact ? number : text;
}

function pairs(text, types) {
  return Object.fromEntries(lines(text).map((line) => {
    // Names may hold colons (fathom:year): what divides is a colon with a space behind it.
    const [name, value] = line.includes(": ") ? split(line, line.lastIndexOf(": ")) : split(line, line.lastIndexOf(":"));
    return [name, scalar(value, types)];
  }));
}

function split(line, at) {
  return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
}

/** An empty list where the default is one that is not empty: leaving it out would bring that back. */
function orNone(values, field) {
  const isDefault = (JSON.parse(field.dataset.default ?? "null") ?? []).length === 0;
  return values.length === 0 && isDefault ? undefined : values;
}

/** The JSON value of a field; undefined where it is empty and the default applies. */
function valueOf(field) {
  const { kind } = field.dataset;
  const types = (field.dataset.types ?? "").split(" ");
  if (isMadeOfParts(field)) return valueOfParts(field);
  const held = controls(field);
  if (held.length === 0) return undefined;
  if (kind === "boolean") return held[0].checked;
  if (kind === "checks") {
    return orNone(held.filter((box) => box.checked).map((box) => scalar(box.value, types)), field);
  }
  const text = held[0].value.trim();
  if (kind === "lines") return orNone(lines(text).map((line) => scalar(line, types)), field);
  if (text === "") return undefined;
  switch (kind) {
    case "json": return parsed(text);
    case "list": return text.split(",").map((part) => part.trim()).filter(Boolean);
    case "pairs": return pairs(text, types);
    case "scalar": return scalar(text, types);
    case "integer": case "number": return scalar(text, [kind]);
    case "datetime": return `${text.length === 16 ? `${text}:00` : text}Z`;
    default: return held[0].value;
  }
}

function valueOfParts(field) {
  const parts = partsOf(field).map((part) => [part.dataset.field, valueOf(part)]);
  const said = parts.filter(([, value]) => value !== undefined);
  if (said.length === 0) return undefined;
  if (field.dataset.kind === "object") return Object.fromEntries(said);
  // A box with three sides is sent as it is: the API says which one is missing.
  return parts.map(([, value]) => value ?? null);
}

/** The value of a JSON text; the text itself where it is not JSON (`problemsOf` says so). */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The values of all fields, by name. */
export function readFields(container) {
  const values = {};
  const fields = fieldsOf(container);
  // What is part of another field's object comes after that object.
  fields.sort((a, b) => Number("into" in a.dataset) - Number("into" in b.dataset));
  for (const field of fields) {
    const value = valueOf(field);
    if (value === undefined) continue;
    const { into, field: name } = field.dataset;
    if (into) values[into] = { ...values[into], [name]: value };
    else values[name] = value;
  }
  return values;
}

/** Which texts are not the JSON that they should be, as the API tells errors. */
export function problemsOf(container) {
  return fieldsOf(container).filter((field) => field.dataset.kind === "json").flatMap((field) => {
    const text = controls(field)[0]?.value.trim();
    if (!text) return [];
    try {
      JSON.parse(text);
      return [];
    } catch (error) {
      return [{ loc: [field.dataset.field], msg: `This is not valid JSON: ${error.message}` }];
    }
  });
}

const textOf = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** Put a value into a field; undefined and null empty it. */
export function writeField(field, value) {
  const { kind } = field.dataset;
  if (isMadeOfParts(field)) {
    for (const part of partsOf(field)) writeField(part, value?.[part.dataset.field]);
    return;
  }
  const held = [...field.querySelectorAll("[data-value]")];
  if (kind === "boolean") held[0].checked = value ?? JSON.parse(field.dataset.default ?? "false");
  else if (kind === "checks") {
    for (const box of held) box.checked = (value ?? []).map(textOf).includes(box.value);
  } else held[0].value = shown(kind, value);
  held[0].dispatchEvent(new Event("input", { bubbles: true }));
}

function shown(kind, value) {
  if (value === undefined || value === null) return "";
  if (kind === "lines" && Array.isArray(value)) return value.map(textOf).join("\n");
  if (kind === "list" && Array.isArray(value)) return value.join(", ");
  if (kind === "pairs") return Object.entries(value).map(([name, each]) => `${name}: ${textOf(each)}`).join("\n");
  if (kind === "json") return JSON.stringify(value, null, 1);
  if (kind === "datetime") {
    const time = new Date(value);
    return Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 19);
  }
  return textOf(value);
}

/** Put values into all fields; those that have none are emptied. */
export function writeFields(container, values) {
  for (const field of fieldsOf(container)) {
    const { into, field: name } = field.dataset;
    writeField(field, into ? values[into]?.[name] : values[name]);
  }
}

function show(field, message) {
  const isGroup = field.matches("fieldset");
  const marked = isGroup ? field : field.querySelector("[data-value]");
  const place = document.getElementById(`${marked.id}-error`);
  place.textContent = message;
  place.hidden = !message;
  if (!message) {
    marked.removeAttribute("aria-invalid");
    return;
  }
  marked.setAttribute("aria-invalid", "true");
  // What is wrong is not hidden behind a fold.
  for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

/** Take away all errors. */
export function clearErrors(container) {
  for (const field of container.querySelectorAll("[data-field]")) show(field, "");
}

/** The field that an error is about, and where in its value. */
export function placeOf(container, [name, ...rest]) {
  const fields = fieldsOf(container);
  const inner = fields.find((each) => each.dataset.into === name && each.dataset.field === rest[0]);
  if (inner) return { field: inner, rest: rest.slice(1) };
  const field = fields.find((each) => each.dataset.field === name && !each.dataset.into);
  if (field && rest.length && isMadeOfParts(field)) {
    const part = placeOf(field.querySelector(".parts"), rest);
    if (part.field) return part;
  }
  return { field, rest };
}

function worded(field, rest, msg) {
  // Of what is one text, the place in it is only which of its types was tried.
  if (rest.length === 0 || !["json", "lines", "pairs", "list", "object"].includes(field.dataset.kind)) return msg;
  const [first, ...deeper] = rest;
  const isLine = field.dataset.kind === "lines" && /^\d+$/.test(first);
  return `${[isLine ? `line ${Number(first) + 1}` : first, ...deeper].join(", ")}: ${msg}`;
}

/**
 * Show errors beside their fields. Returns the errors that are about no field of the container;
 * the first of the fields at fault is focused where `focus` is set.
 */
export function showErrors(container, errors, { focus = false } = {}) {
  const elsewhere = [];
  const told = new Map();
  for (const { loc, msg } of errors) {
    const { field, rest } = placeOf(container, loc.map(String));
    if (field) told.set(field, [...(told.get(field) ?? []), worded(field, rest, msg)]);
    else elsewhere.push({ loc, msg });
  }
  for (const [field, messages] of told) show(field, [...new Set(messages)].join(" "));
  if (focus) focusFirst(fieldsInOrder(container).find((field) => told.has(field)));
  return elsewhere;
}

const fieldsInOrder = (container) => [...container.querySelectorAll("[data-field]")];
const focusFirst = (field) => field?.querySelector("[data-value]")?.focus();

/** A click on an example puts it into its field. */
export function startExamples() {
  // On the document: forms are put into the page later, and put in again by htmx.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-example]");
    if (!button) return;
    const field = button.closest("[data-field]");
    writeField(field, JSON.parse(button.dataset.example));
    focusFirst(field);
  });
}
