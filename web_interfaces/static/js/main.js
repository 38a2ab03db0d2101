// What the pages do beyond HTML and htmx.

import { startActions } from "./actions.js";
import { startDatasetForm } from "./dataset_form.js";
import { startDrawings } from "./drawing.js";
import { startForm } from "./form.js";
import { startLive } from "./live.js";

document.documentElement.classList.add("scripted");
startActions();
startDatasetForm();
startDrawings();
startForm();
startLive();
// On a phone the navigation is wider than the screen.
document.querySelector(".masthead [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
