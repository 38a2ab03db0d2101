"""What job types take for the address of a source."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from core.addresses import SourceUrl
from core.job_definition import JobParameters
from services.h3.parameters import H3RasterAggregation
from services.raster.parameters import ProcessRaster
from services.vector.parameters import ProcessVector


@pytest.mark.parametrize("model", [ProcessVector, ProcessRaster, H3RasterAggregation])
@pytest.mark.parametrize("before", ["usr:pw123@", "pw123@", "a@b:pw123@"])
def test_a_user_or_a_password_is_refused_and_not_repeated(
    model: type[JobParameters], before: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate({"source_url": f"https://{before}203.0.113.9/x.gpkg?sig=a"})
    [fault] = [each for each in caught.value.errors() if each["loc"] == ("source_url",)]
    assert "without a user name or a password" in fault["msg"]
    assert "pw123" not in fault["msg"]


@pytest.mark.parametrize("address", ["https://203.0.113.9/a@b?sig=c@d", "http://[2001:db8::1]:8/x"])
def test_an_at_sign_behind_the_host_is_taken(address: str) -> None:
    assert TypeAdapter(SourceUrl).validate_python(address) == address
