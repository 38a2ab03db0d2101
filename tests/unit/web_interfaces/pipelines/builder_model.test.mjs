// The model of the builder: documents, history, layout, references, what expressions can use.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const AT = new URL("../../../../web_interfaces/static/js/pipelines/", import.meta.url);
const [doc, { History }, layout, references, outputs, { Store }] = await Promise.all(
  ["document", "history", "layout", "references", "outputs", "store"].map((name) => import(new URL(`${name}.js`, AT))),
);

const step = (id, more = {}) => ({ id, kind: "job", job: "hello_fan_out", parameters: {}, ...more });
const using = (text) => ({ parameters: { n: { $expr: text } } });
const base = (...steps) => ({ format: "geoforge.pipeline/1", name: "p", title: "P", steps });
const ids = (document) => document.steps.map(({ id }) => id);

test("expressions refer to steps by name, by key, and not within texts", () => {
  const found = (text) => [...references.stepsIn(text)];
  assert.deepEqual(found("steps.load.outputs.n + length(steps . look.note)"), ["load", "look"]);
  assert.deepEqual(found("steps[\"load\"].outputs"), ["load"]);
  assert.deepEqual(found("'steps.load' == \"steps.other\""), []);
  assert.deepEqual(found("my.steps.load + mysteps.load"), []);
  assert.deepEqual(found("'it\\'s steps.a' + steps.b.status"), ["b"]);
});

test("a step is renamed in all that refers to it, and in nothing else", () => {
  const document = {
    ...base(step("a"), step("ab", { after: ["a"], when: "steps.a.status == 'steps.a'", for_each: "steps['a'].outputs" }),
      step("c", { parameters: { deep: [{ $expr: "steps.ab.x + steps.a.y" }], text: "steps.a" } })),
    layout: { a: { x: 1, y: 2 } },
  };
  const renamed = doc.renameStep(document, "a", "z");
  assert.deepEqual(ids(renamed), ["z", "ab", "c"]);
  assert.deepEqual(renamed.steps[1], step("ab", { after: ["z"], when: "steps.z.status == 'steps.a'", for_each: "steps['z'].outputs" }));
  assert.deepEqual(renamed.steps[2].parameters, { deep: [{ $expr: "steps.ab.x + steps.z.y" }], text: "steps.a" });
  assert.deepEqual(renamed.layout, { z: { x: 1, y: 2 } });
  assert.deepEqual(doc.renameStep(renamed, "z", "a"), document);
});

test("a new step has a free name and comes after the one that it is dropped on", () => {
  const first = doc.addStep(base(), "hello_fan_out");
  const second = doc.addStep(first.document, "hello_fan_out", { after: first.id });
  const third = doc.addStep(second.document, "", { after: first.id });
  assert.deepEqual(ids(third.document), ["hello_fan_out", "approval", "hello_fan_out_2"]);
  assert.deepEqual(third.document.steps[1].after, ["hello_fan_out"]);
  assert.equal(third.document.steps[1].kind, "gate");
  assert.equal("layout" in third.document, false);
});

test("a step that is dropped in a free drawing stands where it was dropped", () => {
  const free = { ...base(step("a")), layout: { a: { x: 5, y: 5 } } };
  const { document, id } = doc.addStep(free, "hello_fan_out", { at: { x: 80.4, y: -3 } });
  assert.deepEqual(document.layout, { a: { x: 5, y: 5 }, [id]: { x: 80, y: 0 } });
});

test("what waited for a step that is removed waits for what that waited for", () => {
  const document = base(step("a"), step("b", { after: ["a"] }), step("c", { after: ["b"], ...using("steps.b.x") }));
  const left = doc.removeStep(document, "b");
  assert.deepEqual(left.steps[1].after, ["a"]);
  assert.deepEqual(left.steps[1].parameters, { n: { $expr: "steps.b.x" } });
  assert.deepEqual(ids(document), ["a", "b", "c"]);
});

test("steps are connected unless that makes a circle", () => {
  const document = base(step("a"), step("b", using("steps.a.x")), step("c", { after: ["b"] }));
  assert.equal(doc.whyNotConnect(document, "a", "c"), "");
  assert.match(doc.whyNotConnect(document, "c", "a"), /wait for each other/);
  assert.match(doc.whyNotConnect(document, "a", "a"), /itself/);
  assert.match(doc.whyNotConnect(document, "a", "b"), /already/);
  const connected = doc.connect(document, "a", "c");
  assert.deepEqual(connected.steps[2].after, ["b", "a"]);
  assert.deepEqual(doc.disconnect(connected, "a", "c"), document);
  assert.equal("after" in doc.disconnect(document, "b", "c").steps[2], false);
});

test("moving one step in the drawing leaves the others where they stand", () => {
  const document = base(step("a"), step("b"));
  const standing = layout.draw(document).cards;
  const moved = doc.placeStep(document, "b", { x: 12.6, y: 700 }, standing);
  assert.deepEqual(moved.layout, { a: standing.a, b: { x: 13, y: 700 } });
  assert.deepEqual(doc.arrange(moved), document);
});

test("names are made of any text", () => {
  assert.equal(doc.nameFrom("Größe der Flüsse 2026!", 40), "gro_e_der_flusse_2026");
  assert.equal(doc.nameFrom("2026: parks", 40), "parks");
  assert.equal(doc.nameFrom("a_very_long_name", 7), "a_very");
  assert.equal(doc.nameFrom("…", 40), "");
});

test("a copy has a name of its own and stands beside", () => {
  const document = { ...base(step("a", { title: "Load" })), layout: { a: { x: 1, y: 2 } } };
  const { document: next, id } = doc.duplicateStep(document, "a");
  assert.equal(id, "a_2");
  assert.equal(next.steps[1].title, "Load (copy)");
  assert.deepEqual(next.layout.a_2, { x: 41, y: 42 });
});

test("what was done is undone and done again, letters of one field together", () => {
  const history = new History("");
  history.change("a", "write", "title");
  history.change("ab", "write", "title");
  history.change("ab!", "shout");
  assert.equal(history.undo(), "shout");
  assert.equal(history.value, "ab");
  assert.equal(history.undo(), "write");
  assert.equal(history.value, "");
  assert.equal(history.undo(), null);
  assert.equal(history.redo(), "write");
  history.change("abc", "write", "title");
  assert.equal(history.canRedo, false);
  assert.equal(history.undo(), "write");
  assert.equal(history.value, "ab");
});

test("a field that was left begins a change of its own", () => {
  const history = new History(0);
  history.change(1, "one", "field");
  history.close();
  history.change(2, "two", "field");
  history.undo();
  assert.equal(history.value, 1);
});

const cases = JSON.parse(readFileSync(new URL("layouts.json", import.meta.url), "utf-8"));
for (const { name, document, cards, edges, size } of cases) {
  test(`layout: ${name}`, () => {
    const drawn = layout.draw(document);
    assert.deepEqual(Object.fromEntries(Object.entries(drawn.cards).map(([id, { x, y }]) => [id, [x, y]])), cards);
    const shown = drawn.edges.filter(({ isImplied }) => !isImplied);
    const told = shown.map(({ source, target, carries, lanes, path }) => [source, target, carries, lanes.map(({ x, y }) => [x, y]), path]);
    assert.deepEqual(told, edges);
    assert.deepEqual([drawn.width, drawn.height], size);
  });
}

test("a hundred steps that each wait for all before them are laid out as a chain, and every edge can be removed", () => {
  const before = (count) => Array.from({ length: count }, (_, index) => `s_${index}`);
  const document = base(...before(100).map((id, index) => step(id, { after: before(index) })));
  const { edges, width } = layout.draw(document);
  assert.equal(edges.length, 4950);
  assert.equal(edges.filter(({ isImplied }) => !isImplied).length, 99);
  assert.ok(edges.every(({ lanes }) => lanes.length === 0));
  assert.equal(width, 272);
});

test("a step that another document does not have is not the chosen one any more", () => {
  const store = new Store();
  store.load(base(step("a"), step("b")));
  store.select("b");
  const told = [];
  for (const event of ["document", "selection"]) {
    store.addEventListener(event, ({ detail }) => told.push([event, store.selected, detail.selects ?? ""]));
  }
  store.change(base(step("a"), step("b", { title: "B" })), "change it");
  store.change(base(step("a")), "bring version 1 back");
  assert.deepEqual(told, [["document", "b", false], ["document", null, true], ["selection", null, ""]]);
});

test("what is written while a document is sent is not kept with it", () => {
  const store = new Store();
  const sent = base(step("a"));
  store.load(sent, { isSaved: false });
  const told = [];
  store.addEventListener("saved", () => told.push(store.version));
  store.change(base(step("a", { title: "A" })), "change it");
  store.saved("p", 1, sent);
  assert.deepEqual([store.name, store.isDirty, told], ["p", true, [1]]);
  store.saved("p", 2);
  assert.equal(store.isDirty, false);
});

test("an expression can use inputs, what earlier steps give, and not what waits for its step", () => {
  const document = {
    ...base(step("a"), step("b", { after: ["a"], for_each: "inputs.files" }), step("c", { after: ["b"] }), { id: "g", kind: "gate", message: "?" }),
    inputs: { files: { type: "list", items: "string", description: "Paths" } },
  };
  const schema = {
    $defs: { Table: { type: "object", properties: { table: { type: "string" }, rows: { anyOf: [{ type: "integer" }, { type: "null" }] } } } },
    type: "object",
    properties: { tables: { type: "array", items: { $ref: "#/$defs/Table" } } },
  };
  const groups = outputs.sourcesOf(document, { a: schema }, "b");
  const types = Object.fromEntries(groups.flatMap(({ parts }) => parts.map(({ path, type }) => [path, type])));
  assert.equal(types.item, "one value of the list");
  assert.equal(types["inputs.files"], "list of text");
  assert.equal(types["steps.a.outputs.tables"], "list of object");
  assert.equal(types["steps.a.outputs.tables[0].rows"], "whole number or nothing");
  assert.equal(types["steps.a.outputs.tables[:].table"], "list of text");
  assert.equal(types["steps.g.decision"], "text");
  assert.equal(types["steps.c.status"], undefined);
  assert.equal(types["steps.b.status"], undefined);
});

test("schemas that refer to themselves come to an end", () => {
  const schema = { $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } }, $ref: "#/$defs/Node" };
  const paths = outputs.partsOf(schema, "x").map(({ path }) => path);
  assert.deepEqual(paths, ["x", "x.next", "x.next.next", "x.next.next.next", "x.next.next.next.next"]);
});
