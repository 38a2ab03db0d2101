// Light or dark: as the system has it, unless a person has chosen otherwise. Runs in the head and
// before anything is drawn, so it is no module: a page never flashes in the other scheme.

(() => {
  "use strict";
  const KEY = "geoforge-theme";
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const root = document.documentElement;
  root.classList.add("scripting");

  /** What was chosen, "system" where nothing was, or where the browser keeps nothing for us. */
  const chosen = () => {
    try {
      const theme = localStorage.getItem(KEY);
      return theme in NEXT ? theme : "system";
    } catch {
      return "system";
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // A browser that keeps nothing: the choice holds for this page.
    }
  };
  const show = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    const button = document.querySelector("[data-theme-switch]");
    button?.setAttribute("aria-label", button.dataset[theme]);
    button?.setAttribute("title", button.dataset[theme]);
  };

  let theme = chosen();
  show(theme);
  // What the button says is known when it is there.
  document.addEventListener("DOMContentLoaded", () => show(theme));
  // Another window of the app has changed it.
  addEventListener("storage", ({ key }) => {
    if (key === KEY) show(theme = chosen());
  });
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-switch]")) return;
    keep(theme = NEXT[theme]);
    show(theme);
  });
})();
