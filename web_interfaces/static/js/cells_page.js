// What the page of H3 statistics does beyond main.js.

import { startCellsMap } from "./cells_map.js";

startCellsMap();
