"""What a raster is, asked of a file in storage before any job runs."""

from __future__ import annotations

import azure.durable_functions as df
import azure.functions as func
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.blob_names import BlobPath
from core.errors import InvalidParameters, PermanentTaskError, TransientTaskError, Unavailable
from services.data_container import DataContainer
from services.raster import surveying
from services.raster.parameters import RasterOptions
from web_interfaces.api.documentation import Answer, documented
from web_interfaces.api.http import endpoint, json_object, json_response, known_query
from web_interfaces.api.schemas import maps as schemas

bp = df.Blueprint()


class Inspection(BaseModel):
    """The body of an inspection."""

    model_config = ConfigDict(extra="forbid")

    container_name: DataContainer = Field(
        description="Container of the file", examples=["bronze-rasters"]
    )
    blob_name: BlobPath = Field(
        description="Path of the raster in its container; a zip archive with one is read as well",
        examples=["dem/tile_12.tif"],
    )


@bp.route(route="api/raster/inspect", methods=["POST"])
@documented(
    tag="Rasters",
    body=Inspection,
    answers={
        200: Answer(
            "What it seems to be, and why; `refusal` says why it could not be processed as it is",
            schema=schemas.INSPECTED,
        )
    },
)
@endpoint
def inspect_raster(req: func.HttpRequest) -> func.HttpResponse:
    """What a raster is (rgb, dem, categorical, ...), and by which evidence. Nothing is written."""
    known_query(req)
    wanted = _wanted(req)
    try:
        found = surveying.inspect(wanted.container_name, wanted.blob_name, RasterOptions())
    except PermanentTaskError as error:
        raise InvalidParameters(
            error.message, [{"loc": ["blob_name"], "msg": error.message}], code=error.error_code
        ) from error
    except TransientTaskError as error:
        raise Unavailable(error.message, code=error.error_code) from error
    return json_response(found)


def _wanted(req: func.HttpRequest) -> Inspection:
    try:
        return Inspection.model_validate(json_object(req))
    except ValidationError as error:
        raise InvalidParameters(
            "An inspection names container_name and blob_name.",
            [{"loc": list(each["loc"]), "msg": each["msg"]} for each in error.errors()],
        ) from None
