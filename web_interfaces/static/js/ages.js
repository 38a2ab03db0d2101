// "3 min ago" goes on being true on a page that asks for nothing any more, as that of a job that
// has ended.

const EVERY_MS = 10_000;
const UNITS = [[86_400, "d"], [3_600, "h"], [60, "min"]];

// What the server's clock is ahead of the browser's.
let ahead = 0;

/** As the server says it: formats.ago. */
function ago(seconds) {
  if (seconds < 5) return "just now";
  const [unit, name] = UNITS.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(seconds / unit)} ${name} ago`;
}

export function startAges() {
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const date = Date.parse(detail.xhr.getResponseHeader("Date"));
    if (date) ahead = date - Date.now();
  });
  setInterval(() => {
    for (const time of document.querySelectorAll("time[data-age]")) {
      time.textContent = ago((Date.now() + ahead - Date.parse(time.dateTime)) / 1000);
    }
  }, EVERY_MS);
}
