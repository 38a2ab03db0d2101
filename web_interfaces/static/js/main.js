// What the pages do beyond HTML and htmx.

import { startActions } from "./actions.js";
import { startAges } from "./ages.js";
import { startCopying } from "./copying.js";
import { startDatasetForm } from "./dataset_form.js";
import { startDrawings } from "./drawing.js";
import { startForm } from "./form.js";
import { startExamples } from "./form_fields.js";
import { startLive } from "./live.js";
import { startToasts } from "./toasts.js";

document.documentElement.classList.add("scripted");
startActions();
startAges();
startCopying();
startDatasetForm();
startDrawings();
startExamples();
startForm();
startLive();
startToasts();
