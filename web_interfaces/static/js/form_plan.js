// The answer to a dry run: the stages that would run, and what the job type sees beforehand.

import { element, readable, words } from "./readable.js";

const QUEUES = { light: "many at a time", heavy: "a few at a time" };

function tasks({ tasks_total: total }) {
  if (total === null || total === undefined) return "as many tasks as the stage before finds";
  return `${total.toLocaleString("en")} ${total === 1 ? "task" : "tasks"}`;
}

function stage(each) {
  const item = element("li");
  item.append(element("strong", words(each.name)), ` ${tasks(each)} · `);
  const how = `${QUEUES[each.queue] ?? each.queue}, at most ${each.max_parallel.toLocaleString("en")}`;
  item.append(element("span", how, "quiet plan-how"));
  if (each.description) item.append(element("span", each.description, "quiet plan-about"));
  return item;
}

/** What a job would find, its warnings first and apart. */
function previewed({ warnings = [], ...rest }) {
  const parts = [];
  if (warnings.length) {
    const list = element("ul");
    for (const warning of warnings) {
      const item = element("li");
      item.append(typeof warning === "string" ? warning : readable(warning));
      list.append(item);
    }
    const box = element("div", undefined, "notice notice-warn");
    box.append(element("h3", warnings.length === 1 ? "A warning" : `${warnings.length} warnings`), list);
    parts.push(box);
  }
  if (Object.keys(rest).length) parts.push(element("h3", "What it finds"), readable(rest));
  return parts;
}

/** The elements that show a plan: {plan: {stages}, preview?}. */
export function planOf({ plan, preview }) {
  const list = element("ol", undefined, "plan");
  list.append(...plan.stages.map(stage));
  const intro = element("p", "The parameters are valid. Nothing was written; this would run:");
  return [intro, list, ...(preview ? previewed(preview) : [])];
}
