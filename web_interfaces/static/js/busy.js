// What the press of a button begins, once at a time.

const busy = new WeakSet();

/** Do the work of a form (or what else stands for it), unless it is at it already; the button looks busy until it is done. */
export async function whileBusy(form, button, work) {
  if (busy.has(form)) return;
  busy.add(form);
  // Not disabled, which would take the focus from it.
  button?.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button?.removeAttribute("aria-busy");
    busy.delete(form);
  }
}
