"""Layers of a file as OGR streams them in Arrow batches, with what it complains of."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyogrio
import pyogrio.errors
import pyogrio.raw

from services.vector.formats.reader import UnreadableFile
from services.vector.model import Note

# What pyogrio raises for a file, a layer, a query or a stream that fails.
OGR_ERRORS: Final = (
    pyogrio.errors.DataSourceError,
    pyogrio.errors.DataLayerError,
    pyogrio.errors.FieldError,
    pyogrio.errors.GeometryError,
    pyogrio.errors.FeatureError,
    pa.ArrowException,
    RuntimeError,
    ValueError,
    OSError,
)
_SHOWN_CHARACTERS: Final = 300
# Measured geometries are read; pyogrio only names their types without the M.
_HARMLESS: Final = ("Measured (M) geometry types",)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where OGR finds a layer, and the driver's options for opening it."""

    path: Path
    layer: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Description:
    """What OGR says of a layer before it reads a record of it."""

    name: str
    driver: str
    fields: list[str]
    subtypes: list[str]
    crs: str | None
    features: int | None
    fid_column: str
    bbox: tuple[float, float, float, float] | None


def list_layers(path: Path) -> list[str]:
    """The names of the layers, in the file's order. Raises `UnreadableFile`."""
    with complaints():
        try:
            return [str(name) for name, _ in pyogrio.list_layers(path)]
        except OGR_ERRORS as error:
            raise UnreadableFile(said(error)) from error


def describe(origin: Origin, *, count: bool = False) -> Description:
    """What the header says, with `count` also what needs a scan. Raises `UnreadableFile`."""
    with complaints():
        try:
            info = pyogrio.read_info(
                origin.path,
                layer=origin.layer,
                force_feature_count=count,
                force_total_bounds=count,
                **origin.options,
            )
        except OGR_ERRORS as error:
            raise UnreadableFile(said(error)) from error
    bounds = info["total_bounds"]
    return Description(
        name=str(info["layer_name"]),
        driver=str(info["driver"]),
        fields=[str(name) for name in info["fields"]],
        subtypes=[str(subtype) for subtype in info["ogr_subtypes"]],
        crs=info["crs"],
        features=int(info["features"]) if info["features"] >= 0 else None,
        fid_column=str(info["fid_column"] or ""),
        bbox=_bbox(bounds),
    )


def _bbox(bounds: Sequence[float] | None) -> tuple[float, float, float, float] | None:
    if bounds is None:
        return None
    xmin, ymin, xmax, ymax = map(float, bounds)
    return xmin, ymin, xmax, ymax


@dataclass(slots=True)
class Stream:
    """An open layer. Each batch has the fid first, then the fields, then the geometry."""

    schema: pa.Schema
    reader: Any
    notes: list[Note]

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The batches, to be used up before the stream is closed. Raises what OGR does."""
        while True:
            with complaints(self.notes):
                try:
                    batch = self.reader.read_next_batch()
                except StopIteration:
                    return
            yield batch


@contextmanager
def stream(
    origin: Origin,
    *,
    batch_rows: int,
    where: str | None = None,
    skip: int = 0,
    geometry_only: bool = False,
) -> Generator[Stream]:
    """Open a layer for reading; `skip` counts the records to leave out, as the driver does.

    Raises `UnreadableFile` where it cannot be opened.
    """
    notes: list[Note] = []
    with ExitStack() as stack:
        with complaints(notes):
            try:
                _, reader = stack.enter_context(
                    pyogrio.raw.open_arrow(
                        origin.path,
                        layer=origin.layer,
                        columns=[] if geometry_only else None,
                        where=where,
                        skip_features=skip,
                        batch_size=batch_rows,
                        return_fids=True,
                        use_pyarrow=True,
                        **origin.options,
                    )
                )
            except OGR_ERRORS as error:
                raise UnreadableFile(said(error)) from error
        yield Stream(reader.schema, reader, notes)


@contextmanager
def complaints(notes: list[Note] | None = None) -> Generator[None]:
    """Take GDAL's warnings, which pyogrio makes Python's, as notes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    if notes is None:
        return
    for warning in caught:
        message = _short(str(warning.message))
        if message.startswith(_HARMLESS):
            continue
        known = next((note for note in notes if note.message == message), None)
        if known is not None:
            known.count += 1
        else:
            notes.append(Note(code="driver_warning", message=message))


def said(error: BaseException) -> str:
    """What OGR said, without where the file lies on this machine."""
    return _short(str(error) or type(error).__name__)


@contextmanager
def presented(path: Path, name: str) -> Generator[Path]:
    """The file or folder under a name that OGR recognises and that has no `!` in its path.

    It is a link in a folder of its own, so what a driver writes beside it is gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="ogr-") as folder:
        link = Path(folder) / name
        link.symlink_to(path.resolve(), target_is_directory=path.is_dir())
        yield link


def _short(text: str) -> str:
    words = [word.rpartition("/")[2] if word.startswith(("/", "'/")) else word
             for word in text.split()]  # fmt: skip
    line = " ".join(words)
    return line if len(line) <= _SHOWN_CHARACTERS else f"{line[:_SHOWN_CHARACTERS]}..."
