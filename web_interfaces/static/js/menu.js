// The pages' menu on a narrow screen: a button shows and hides it, Escape closes it. Runs in the
// head as theme.js does, which lets the menu be a menu: it works before the modules have come.

(() => {
  "use strict";
  const open = (button, shown) => {
    button.setAttribute("aria-expanded", String(shown));
    button.closest(".masthead").classList.toggle("is-open", shown);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-menu-button]");
    if (button) open(button, button.getAttribute("aria-expanded") !== "true");
  });
  document.addEventListener("keydown", (event) => {
    const button = document.querySelector('[data-menu-button][aria-expanded="true"]');
    if (event.key !== "Escape" || !button) return;
    open(button, false);
    button.focus();
  });
})();
