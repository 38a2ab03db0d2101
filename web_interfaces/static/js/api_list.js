// The list of the API's calls: find those that have some words.

const calls = [...document.querySelectorAll(".call")];
const filter = document.getElementById("api-filter");

/** Show the calls that have all of the words, and the groups that have any of these. */
function find() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const each of calls) {
    each.hidden = !words.every((word) => each.dataset.words.includes(word));
    shown += Number(!each.hidden);
  }
  for (const group of document.querySelectorAll(".api-group")) {
    group.hidden = !group.querySelector(".call:not([hidden])");
  }
  document.getElementById("api-none").hidden = shown > 0;
  document.getElementById("api-count").textContent = words.length
    ? `${shown} of ${calls.length} calls`
    : "";
}

filter.addEventListener("input", find);
// A browser that comes back here keeps the words.
find();
