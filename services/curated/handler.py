"""What a dataset's handler is: it knows one source, and nothing of jobs, tables or schedules.

A handler says how to ask the source for its version (`check`), how to get the files (`fetch`),
what the data are (`describe`), and which of the source's attributes fill which columns
(`transform`). Everything else is the same for all: see docs/curated-datasets.md. ::

    class Lakes(Handler):
        name = "lakes"

        def check(self, run): ...
        def fetch(self, run, remote, files): ...
        def describe(self, dataset): ...
        def transform(self, dataset, layer): ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar, Literal

from core.models.curated import CuratedDataset, Delivers
from core.models.feature_table import ColumnType
from services.curated.file_store import FileStore
from services.vector.model import SourceLayer
from services.vector.plan import Dimension
from services.vector.source_files import SourceRef

# What fills a column with the version of the source that its row came in.
SOURCE_VERSION = "{source_version}"

# What a dataset's source_config may say of how its file is read.
READING = ("layer", "source_crs", "encoding", "x_column", "y_column", "wkt_column")


# What an update can be asked for beside the whole of what is new: see `Run`.
Option = Literal["days", "file"]


@dataclass(frozen=True, slots=True)
class RemoteVersion:
    """What a source offers now. `facts` are kept and shown: nothing secret, no addresses with
    signatures.

    What has to be fetched in many requests comes in `parts`, each of which is fetched by a task
    of its own (`Handler.fetch_part`); without them `Handler.fetch` brings all. `delivers` is for
    this update what `About.delivers` says in general, where the two differ.
    """

    version: str
    size: int | None = None
    licence: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[Mapping[str, Any]] = ()
    delivers: Delivers | None = None


@dataclass(frozen=True, slots=True)
class UploadedFile:
    """A file that an operator put into a container, named as `pin` wants it."""

    container_name: str
    blob_name: str


@dataclass(frozen=True, slots=True)
class Days:
    """The days, both included, whose records an update is about; None is without an end."""

    first: date | None
    last: date | None


@dataclass(frozen=True, slots=True)
class Run:
    """One update of a dataset. `check` raises when it shall stop; `progress` shows figures.

    What was asked for: `forced` to read all of the source again (as also where the definition was
    changed since), `days` for a backfill, `file` in place of the source's address. A handler says
    in `options` which it can be asked for.
    """

    dataset: CuratedDataset
    job_id: str
    check: Callable[[], None]
    progress: Callable[..., None]
    forced: bool = False
    days: Days | None = None
    file: UploadedFile | None = None


@dataclass(frozen=True, slots=True)
class FetchedPart:
    """The file of a part: `records`, or `deletions`, whose rows name by their keys (and
    `About.newest`) the records that the source has deleted. None of its columns is renamed."""

    ref: SourceRef
    kind: Literal["records", "deletions"] = "records"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a dataset's table, and what fills it.

    `sources` are names of attributes, whatever the case of their letters; the first that the
    layer has is read. Where it has no value, the attributes `otherwise` are asked, one after the
    other: for a column of any type, of text[] before the texts are split. `values` puts other
    texts in place of some, None for null. `split` cuts a text at a separator into text[].
    `constant` fills the column itself, in place of `sources`.
    That an `optional` one is missing from the source is no drift of its schema.
    """

    name: str
    type: ColumnType = ColumnType.TEXT
    sources: tuple[str, ...] = ()
    comment: str | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)
    split: str | None = None
    constant: str | None = None
    optional: bool = False
    otherwise: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.split is None) is (self.type is ColumnType.TEXT_ARRAY):
            raise ValueError(f"{self.name}: text[], and no other type, is split")
        if self.constant is not None and self.sources:
            raise ValueError(f"{self.name}: a constant stands in place of sources")
        if self.otherwise and not self.sources:
            raise ValueError(f"{self.name}: others are asked after its own attribute")


@dataclass(frozen=True, slots=True)
class Style:
    """How the table is drawn: MapLibre layers without their source, and the legend in order.

    A legend entry is {label, color, kind: fill|line|circle, outline?, radius?, description?}; the
    radius, of a circle only, is in pixels.
    """

    style_id: str
    title: str
    layers: Sequence[Mapping[str, Any]]
    legend: Sequence[Mapping[str, Any]]
    description: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What the data of a dataset are.

    `fields` None takes the columns as the source has them. `key_columns` name a record from
    version to version; without them versions are compared by content. A `snapshot` is the whole
    dataset, so what does not come in again is gone; an `increment` is what changed. Of two
    records of one key, the one with the greater value in `newest` is taken. With `one_layer` a
    source that has several of the layers that are wanted is refused until the dataset names one.
    `ignored` columns say nothing about whether a record has changed. The first style is the
    default one.
    """

    fields: tuple[Field, ...] | None = None
    key_columns: tuple[str, ...] = ()
    geometry: (
        Literal["Point", "MultiPoint", "MultiLineString", "MultiPolygon", "Geometry"] | None
    ) = None
    delivers: Delivers = "snapshot"
    newest: str | None = None
    one_layer: bool = False
    ignored: tuple[str, ...] = ()
    indexed: tuple[str, ...] = ()
    datetime_column: str | None = None
    styles: tuple[Style, ...] = ()
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class LayerUse:
    """What is made of one layer. `dimensions` are those of the geometries that belong in it
    (None among them: records without one); all else goes to quarantine. None takes all."""

    fields: tuple[Field, ...] | None = None
    dimensions: tuple[Dimension | None, ...] | None = None


class Handler(ABC):
    """Knows one source. Stateless: one instance serves all datasets and threads."""

    name: ClassVar[str]
    title: ClassVar[str]
    options: ClassVar[frozenset[Option]] = frozenset()

    def credentials(self, dataset: CuratedDataset) -> tuple[str, ...]:
        """Names of the settings that must be there before the dataset can be updated."""
        return ()

    def check_definition(self, dataset: CuratedDataset) -> None:
        """Raise `InvalidParameters` where the definition is not one that this handler can serve."""

    @abstractmethod
    def check(self, run: Run) -> RemoteVersion:
        """Ask the source what it offers now. Cheap: no data are fetched."""

    def fetch(self, run: Run, remote: RemoteVersion, files: FileStore) -> SourceRef:
        """Bring the files of a version without parts into blob storage. What is there already
        stays.

        Raises `PermanentTaskError` (source_changed) where the source has moved on since.
        """
        raise NotImplementedError(f"{self.name} has nothing but parts")

    def fetch_part(
        self, run: Run, remote: RemoteVersion, part: Mapping[str, Any], files: FileStore
    ) -> FetchedPart:
        """Bring one of the version's parts into blob storage. Raises as `fetch` does.

        Of each part one layer is wanted, and all of them are one layer for the reports, which
        `transform` is asked about too: it is called as the dataset is. A file that the handler
        makes itself is stored by `files.write`.
        """
        raise NotImplementedError(f"{self.name} has no parts")

    def reading(self, dataset: CuratedDataset) -> Mapping[str, Any]:
        """How the files are read, where that is not to be found out: parameters of process_vector
        (layer, source_crs, encoding, x_column, y_column, wkt_column)."""
        return {
            name: dataset.source_config[name] for name in READING if name in dataset.source_config
        }

    @abstractmethod
    def describe(self, dataset: CuratedDataset) -> About:
        """What the data are."""

    def attribution(self, source_version: str | None) -> str | None:
        """Whom to credit for a version, where the dataset itself does not say."""
        return None

    def transform(self, dataset: CuratedDataset, layer: SourceLayer) -> LayerUse | None:
        """What is made of a layer; None where it is not wanted."""
        return LayerUse(fields=self.describe(dataset).fields)
