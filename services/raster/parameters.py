"""The parameters of process_raster and process_raster_collection."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import AwareDatetime, Field, field_validator, model_validator

from core.addresses import SourceUrl
from core.blob_names import BlobPath
from core.job_definition import JobParameters
from core.picking import picks
from services.data_container import DataContainer
from services.raster.model import RasterType, Subtype

_ID = r"^[A-Za-z0-9_][A-Za-z0-9_.:-]*$"
_KINDS = ("auto", *(each.value for each in RasterType), *(each.value for each in Subtype))
_CRS = r"^(EPSG|ESRI|IAU_2015|OGC):[A-Z0-9]+$"


class RasterOptions(JobParameters):
    """What both jobs take: how rasters are read, stored and described."""

    target_container: DataContainer = Field(
        default="silver-rasters",
        description="Container that the COGs are written to; it is made where it is missing",
        json_schema_extra=picks("container"),
    )
    raster_type: str = Field(
        default="auto",
        description="What the raster is, in place of what is inferred",
        json_schema_extra={"enum": list(_KINDS)},
        examples=["dem"],
    )
    source_crs: str | None = Field(
        default=None,
        max_length=4000,
        description="CRS of the raster, in place of what the file says: a code, WKT or PROJ text",
        examples=["EPSG:32618"],
    )
    target_crs: str | None = Field(
        default=None,
        pattern=_CRS,
        description="CRS of the COG; without it the raster keeps its own grid, pixel by pixel",
        examples=["EPSG:4326"],
    )
    output_tier: Literal["visualization", "analysis", "archive"] | None = Field(
        default=None,
        description="visualization: small, pictures are compressed with loss; analysis: every "
        "value kept, quick to read; archive: every value kept, as small as it gets. Default: "
        "visualization for pictures of 8 bits (rgb, rgba), analysis for all else",
    )
    compression: (
        Literal["NONE", "LZW", "DEFLATE", "ZSTD", "JPEG", "WEBP", "LERC", "LERC_DEFLATE",
                "LERC_ZSTD"] | None
    ) = Field(
        default=None, description="Compression of the COG, in place of the one for its type"
    )  # fmt: skip
    quality: int | None = Field(
        default=None, ge=1, le=100, description="Quality of JPEG or WEBP; WEBP at 100 is lossless"
    )
    max_z_error: float | None = Field(
        default=None,
        ge=0,
        description="Greatest error of a LERC compression, in the unit of the values; default 0",
    )
    nodata: float | Literal["nan"] | None = Field(
        default=None,
        description="Value of pixels without data, for files that do not declare it",
        examples=[-9999],
    )
    resampling: (
        Literal["nearest", "bilinear", "cubic", "cubicspline", "lanczos", "average", "mode"] | None
    ) = Field(
        default=None,
        description="How overviews and warped pixels are computed, in place of the way of the type",
    )
    block_size: Literal[256, 512, 1024] = Field(
        default=512, description="Pixels along the side of a COG's inner tile"
    )
    memory_mb: int = Field(
        default=1024,
        ge=512,
        le=8192,
        description="Megabytes that the child process of one raster may take",
    )
    window_gb: float = Field(
        default=4.0,
        gt=0,
        le=100,
        description="A raster of more decoded gigabytes is encoded in windows, by many tasks",
    )
    start_datetime: AwareDatetime | None = Field(
        default=None, description="Beginning of the time that the raster shows"
    )
    end_datetime: AwareDatetime | None = Field(
        default=None, description="End of the time that the raster shows"
    )
    strict: bool = Field(
        default=False,
        description="Refuse what has any warning about its georeference, type or nodata",
    )
    overwrite: bool = Field(default=False, description="Replace items that came from another file")
    verify: bool = Field(default=True, description="Compare every pixel of the COG with the source")

    @field_validator("raster_type")
    @classmethod
    def _is_a_kind(cls, text: str) -> str:
        if text not in _KINDS:
            raise ValueError(f"must be one of {', '.join(_KINDS)}")
        return text

    @field_validator("target_crs")
    @classmethod
    def _is_a_place_on_the_earth(cls, text: str | None) -> str | None:
        if text is None:
            return None
        # Here, as the description of a job is read without PROJ.
        from services.raster.placement import other_body
        from services.vector.inference.crs import parse_crs

        crs = parse_crs(text)
        body = other_body(crs)
        if body is not None:
            raise ValueError(f"{text} is {crs.name}, of {body}: it is not on the Earth")
        return text

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        begin, end = self.start_datetime, self.end_datetime
        if (begin is None) != (end is None):
            raise ValueError("start_datetime and end_datetime belong together: give both")
        if begin is not None and end is not None and end < begin:
            raise ValueError("end_datetime must not lie before start_datetime")
        return self


class ProcessRaster(RasterOptions):
    container_name: DataContainer | None = Field(
        default=None,
        description="Container of the file",
        examples=["bronze-rasters"],
        json_schema_extra=picks("container"),
    )
    blob_name: BlobPath | None = Field(
        default=None,
        description="Path of the raster in its container; a zip archive with one is read as well",
        examples=["dem/tile_12.tif"],
        json_schema_extra=picks("blob", of="container_name"),
    )
    source_url: SourceUrl | None = Field(
        default=None,
        description="Address of the file, in place of container_name and blob_name",
    )
    collection_id: str = Field(
        default="rasters",
        max_length=128,
        pattern=_ID,
        description="STAC Collection of the item; it is made where it is missing",
        examples=["elevation"],
        json_schema_extra=picks("stac_collection"),
    )
    item_id: str | None = Field(
        default=None,
        max_length=128,
        pattern=_ID,
        description="Id of the STAC Item; default: the file's name without its ending",
        json_schema_extra=picks("stac_item", of="collection_id"),
    )
    acquired: AwareDatetime | None = Field(
        default=None,
        description="When the raster was taken, in place of what its tags, its sidecar or its "
        "name say",
        examples=["2024-06-17T00:00:00Z"],
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        blob = self.container_name is not None and self.blob_name is not None
        if blob == (self.source_url is not None) or (
            self.source_url is not None and (self.container_name or self.blob_name)
        ):
            raise ValueError("give container_name and blob_name, or source_url")
        return self


class ProcessRasterCollection(RasterOptions):
    container_name: DataContainer = Field(
        description="Container of the files",
        examples=["bronze-rasters"],
        json_schema_extra=picks("container"),
    )
    prefix: str | None = Field(
        default=None,
        max_length=900,
        description="All rasters whose paths begin so are taken",
        examples=["fathom/2020/"],
    )
    blob_names: list[BlobPath] = Field(
        default_factory=list,
        max_length=10_000,
        description="Paths of the rasters, in place of a prefix",
        json_schema_extra=picks("blob", of="container_name"),
    )
    collection_id: str = Field(
        max_length=128,
        pattern=_ID,
        description="STAC Collection to make",
        examples=["elevation"],
        json_schema_extra=picks("stac_collection"),
    )
    title: str | None = Field(default=None, max_length=300, description="Title of the collection")
    description: str | None = Field(
        default=None, max_length=5000, description="Description of the collection"
    )
    license: str = Field(
        default="other",
        max_length=100,
        description="SPDX name of the licence",
        examples=["CC0-1.0"],
    )
    mixed: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="What is done with rasters whose type, bands or CRS (unless target_crs is "
        "given) are not those of most of the collection",
    )
    mosaic: bool = Field(default=True, description="Write a MosaicJSON beside the collection")
    max_parallel: int = Field(
        default=4, ge=1, le=64, description="Rasters that are worked on at the same time"
    )

    @model_validator(mode="after")
    def _names_files(self) -> Self:
        if (self.prefix is None) == (not self.blob_names):
            raise ValueError("give prefix or blob_names")
        return self
