// What the page of rasters does beyond main.js.

import { startRasterMap } from "./raster_map.js";

startRasterMap();
