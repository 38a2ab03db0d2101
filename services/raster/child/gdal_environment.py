"""The environment of the child process in which rasters are read and written.

GDAL takes any file to the first driver that claims it, whatever its name says, and some drivers
open other files or addresses on behalf of the one that they were given. So all are switched off
but those of the formats that are read, and `opening` names the one driver that may open a file.
`infrastructure.sandbox` adds what holds for every child: no network, no settings of the app, and
no files but those of the source.
"""

from __future__ import annotations

from collections.abc import Mapping

READ_DRIVERS: Mapping[str, str] = {
    "GTiff": "GeoTIFF, BigTIFF and COG: what most rasters are",
    "JP2OpenJPEG": "JPEG 2000, as Sentinel-2 is delivered",
    "HFA": "Erdas Imagine, as land cover and older imagery are delivered",
    "AAIGrid": "Esri ASCII grids, the text format of elevation and models",
    "DTED": "elevation of the military standard MIL-PRF-89020",
    "SRTMHGT": "SRTM elevation, told by its name",
    "USGSDEM": "elevation of the USGS until 2006, and still in archives",
    "PNG": "scans and exports, with a world file",
    "JPEG": "scans and exports, with a world file",
}

# COG and MEM open no files. VRT is there for datasets that this app describes itself, from
# memory: `opening` gives it no file, nor lets one through that GDAL could take for one.
WRITE_DRIVERS = frozenset({"COG", "MEM", "VRT"})
ALLOWED_DRIVERS = frozenset(READ_DRIVERS) | WRITE_DRIVERS

# Every other driver of GDAL 3.4 to 3.12 that a build may have (but Memory, another name of MEM's,
# after whose removal asking for it crashes GDAL 3.12):
# https://gdal.org/en/stable/drivers/raster/index.html
# A test compares what the child sees with the drivers allowed, so a new one shows there.
_REFUSED_DRIVERS = (
    "ACE2", "ADBC", "ADRG", "AIG", "AIVector", "ARG", "AVCBin", "AVCE00", "AVIF", "AirSAR",
    "AmigoCloud", "Arrow", "BAG", "BASISU", "BIGGIF", "BLX", "BMP", "BSB", "BT", "BYN", "CAD",
    "CALS", "CEOS", "COASP", "COSAR", "CPG", "CSV", "CSW", "CTG", "CTable2", "Carto", "DAAS", "DDS",
    "DERIVED", "DGN", "DGNv8", "DIMAP", "DIPEx", "DOQ1", "DOQ2", "DWG", "DXF", "ECRGTOC", "ECW",
    "EDIGEO", "EEDA", "EEDAI", "EHdr", "EIR", "ELAS", "ENVI", "ERS", "ESAT", "ESRI Shapefile",
    "ESRIC", "ESRIJSON", "EXR", "Elasticsearch", "FAST", "FIT", "FITS", "FileGDB", "FlatGeobuf",
    "GDALG", "GFF", "GIF", "GML", "GMLAS", "GMT", "GNMDatabase", "GNMFile", "GPKG", "GPSBabel",
    "GPX", "GRASS", "GRASSASCIIGrid", "GRIB", "GS7BG", "GSAG", "GSBG", "GSC", "GTI", "GTX", "GXF",
    "GenBin", "GeoJSON", "GeoJSONSeq", "GeoRSS", "GeoRaster", "Geoconcept", "HANA", "HDF4",
    "HDF4Image", "HDF5", "HDF5Image", "HEIF", "HF2", "HTTP", "IDB", "ILWIS", "INGR", "IRIS",
    "ISCE", "ISG", "ISIS2", "ISIS3", "Idrisi", "Interlis 1", "Interlis 2", "JAXAPALSAR", "JDEM",
    "JML", "JP2ECW", "JP2KAK", "JP2Lura", "JP2MrSID", "JPEGLS", "JPEGXL", "JPIPKAK", "JSONFG",
    "KEA", "KML", "KMLSUPEROVERLAY", "KRO", "L1B", "LAN", "LCP", "LIBERTIFF", "LIBKML", "LOSLAS",
    "LVBAG", "Leveller", "MAP", "MBTiles", "MFF", "MFF2", "MRF", "MSG", "MSGN", "MSSQLSpatial",
    "MVT", "MapInfo File", "MapML", "MiraMonRaster", "MiraMonVector", "MongoDBv3", "MrSID",
    "MySQL", "NAS", "NDF", "NGSGEOID", "NGW", "NITF", "NOAA_B", "NSIDCbin", "NTv2", "NWT_GRC",
    "NWT_GRD", "OAPIF", "OCI", "ODBC", "ODS", "OGCAPI", "OGR_DODS", "OGR_GMT", "OGR_OGDI",
    "OGR_PDS", "OGR_SDTS", "OGR_VRT", "OSM", "OZI", "OpenFileGDB", "PAux", "PCIDSK", "PCRaster",
    "PDF", "PDS", "PDS4", "PGDUMP", "PGeo", "PLMOSAIC", "PLSCENES", "PMTiles", "PNM", "PRF",
    "Parquet", "PostGISRaster", "PostgreSQL", "R", "RASTERLITE", "RCM", "RDB", "RIK", "RMF",
    "ROI_PAC", "RPFTOC", "RRASTER", "RS2", "RST", "Rasterlite", "S102", "S104", "S111", "S57",
    "SAFE", "SAGA", "SAR_CEOS", "SDTS", "SENTINEL2", "SGI", "SIGDEM", "SNAP_TIFF", "SNODAS",
    "SOSI", "SQLite", "SRP", "STACIT", "STACTA", "SVG", "SXF", "Selafin", "TGA", "TIGER", "TIL",
    "TSX", "Terragen", "TileDB", "TopoJSON", "UK .NTF", "VDV", "VFK", "VICAR", "WAsP", "WCS",
    "WEBP", "WFS", "WMS", "WMTS", "Walk", "XLS", "XLSX", "XODR", "XPM", "XYZ", "ZMap", "Zarr",
    "netCDF",
)  # fmt: skip

ENVIRONMENT: Mapping[str, str] = {
    # Split at commas where there are any, so that names may hold spaces.
    "GDAL_SKIP": ",".join(_REFUSED_DRIVERS),
    # World files, overviews and masks are found beside a raster, and so is its .aux.xml.
    "GDAL_DISABLE_READDIR_ON_OPEN": "FALSE",
    "GDAL_PAM_ENABLED": "YES",
    # There is no network in the child where the kernel lets it give that up. Where it does not:
    # no address is this file's name, and no proxy listens on the port of "discard" (RFC 863).
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_HTTP_PROXY": "127.0.0.1:9",
    "GDAL_HTTP_MAX_RETRY": "0",
    "PROJ_NETWORK": "OFF",
    "GDAL_VRT_ENABLE_PYTHON": "NO",
    "MALLOC_ARENA_MAX": "2",
}

# Imported before a child is wanted: together they take a second and more.
PRELOAD = ("numpy", "rasterio", "rasterio.shutil", "rasterio.vrt", "rasterio.warp", "pyproj",
           "services.raster.child.surveying")  # fmt: skip
