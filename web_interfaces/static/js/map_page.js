// What pages with a map do beyond main.js.

import { startMaps } from "./collection_map.js";

startMaps();
