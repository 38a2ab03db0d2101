// Expressions as texts: which steps they refer to, and the same under another name. No DOM.
//
// Only names and quotes are looked at: what an expression means is the server's to say.

// A text in quotes, or a reference to a step: steps.load, steps["load"].
const PART = /(?<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?<![\w.])steps\s*(?:\.\s*(?<dotted>[A-Za-z_]\w*)|\[\s*(?<quote>["'])(?<keyed>[A-Za-z_]\w*)\k<quote>\s*\])/g;

export const isExpression = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && "$expr" in value;

/** The steps that a text refers to. */
export function stepsIn(text) {
  const found = new Set();
  for (const { groups } of String(text ?? "").matchAll(PART)) {
    const step = groups.dotted ?? groups.keyed;
    if (step) found.add(step);
  }
  return found;
}

/** The text with references to a step under its new name. */
export function renamedIn(text, from, to) {
  return text.replace(PART, (...match) => {
    const [whole, { dotted, keyed }] = [match[0], match.at(-1)];
    if ((dotted ?? keyed) !== from) return whole;
    const at = whole.lastIndexOf(from);
    return whole.slice(0, at) + to + whole.slice(at + from.length);
  });
}

/** A value with every text of its expressions put through a function. */
export function mapExpressions(value, change) {
  if (Array.isArray(value)) return value.map((each) => mapExpressions(each, change));
  if (isExpression(value)) return { ...value, $expr: change(value.$expr) };
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, mapExpressions(each, change)]));
}

/** Whether there is an expression in a value, below its top. */
export function holdsExpressions(value) {
  let found = false;
  mapExpressions(value, (text) => {
    found = true;
    return text;
  });
  return found && !isExpression(value);
}

/** The steps that a step's expressions refer to, also in texts that are no step's names. */
export function referencesOf(step) {
  const found = new Set([...stepsIn(step.when), ...stepsIn(step.for_each)]);
  mapExpressions(step.parameters ?? {}, (text) => {
    for (const each of stepsIn(text)) found.add(each);
    return text;
  });
  return found;
}
