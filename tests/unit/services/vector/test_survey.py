"""Finding out what a source is, where parsers fail: which driver is tried, and what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from core.errors import PermanentTaskError
from infrastructure.file_cache import Entry
from infrastructure.sandbox import Sandbox, SandboxError, SandboxFault
from services.vector import survey
from services.vector.model import Chunk, Finding, Kind, Note, SourceLayer
from services.vector.parameters import ProcessVector
from services.vector.source_files import LocalSource
from services.vector.survey import Found

CRASH = SandboxError(SandboxFault.CRASHED, "The parser crashed (SIGSEGV).")


class Child:
    """Answers as a child process would; each driver's answer is the test's to say."""

    def __init__(
        self,
        drivers: Mapping[str, list[SourceLayer] | SandboxError],
        *,
        refused: Sequence[str] = (),
    ) -> None:
        self.asked: list[str] = []
        self._drivers = drivers
        self._refused = refused

    def call(self, function: str, arguments: Mapping[str, Any], **_options: Any) -> Any:
        match function.rpartition(":")[2]:
            case "is_archive":
                return False
            case "survey":
                found = [{"member": "a.kml", "kind": "kml", "drivers": list(self._drivers)}]
                return {"found": found, "notes": [], "refused": self._refused}
            case "inspect":
                self.asked.append(arguments["driver"])
                answer = self._drivers[arguments["driver"]]
                if isinstance(answer, SandboxError):
                    raise answer
                return [layer.model_dump(mode="json") for layer in answer]
        raise AssertionError(function)


def layer(
    name: str = "a", *, records: int = 1, crs: str | None = "EPSG:4326", spatial: bool = True
) -> SourceLayer:
    return SourceLayer(
        name=name, kind=Kind.KML, driver="kml", member="a.kml", features=records, columns=[],
        geometry_types={"Point" if spatial else "None": records},
        crs=Finding(value=crs, confidence=1, source="file", evidence=["It says so."]),
        chunks=[Chunk(first_row=0, rows=records)] if records else [],
    )  # fmt: skip


def look(child: Child, **parameters: Any) -> Found:
    wanted = ProcessVector.model_validate({"source_url": "https://data.test/a.kml", **parameters})
    folder = Path("unread")
    source = LocalSource(folder, [folder / "a.kml"], Entry(folder), lambda: None)
    return survey.look(cast(Sandbox, child), source, wanted)


def refusal(child: Child, **parameters: Any) -> PermanentTaskError:
    with pytest.raises(PermanentTaskError) as refused:
        look(child, **parameters)
    return refused.value


def codes(notes: list[Note]) -> list[str]:
    return [note.code for note in notes]


class TestDrivers:
    def test_the_first_that_finds_a_record_is_taken(self) -> None:
        child = Child({"kml": [layer()], "KML": [layer()]})
        assert [each.name for each in look(child).layers] == ["a"]
        assert child.asked == ["kml"]

    @pytest.mark.parametrize(
        "failure", [CRASH, SandboxError(SandboxFault.RAISED, "It is damaged.")]
    )
    def test_where_one_fails_the_next_is_tried_and_that_is_told(
        self, failure: SandboxError
    ) -> None:
        child = Child({"kml": failure, "KML": [layer()], "LIBKML": [layer()]})
        found = look(child)
        assert child.asked == ["kml", "KML"]
        assert codes(found.notes) == ["read_by_another_driver"]
        assert failure.message in found.notes[0].message

    def test_one_without_records_gives_way_to_one_with_some(self) -> None:
        found = look(Child({"kml": [layer(records=0)], "KML": [layer("b")]}))
        assert [each.name for each in found.layers] == ["b"]

    def test_an_empty_layer_is_better_than_a_failure(self) -> None:
        found = look(Child({"kml": [layer(records=0)], "KML": CRASH}))
        assert [each.name for each in found.layers] == ["a"]

    def test_where_all_fail_the_first_failure_is_the_reason(self) -> None:
        error = refusal(Child({"kml": CRASH, "KML": SandboxError(SandboxFault.RAISED, "No.")}))
        assert error.error_code == "unreadable_file"
        assert error.message == "a.kml: The parser crashed (SIGSEGV)."


class TestLayers:
    def test_only_the_one_that_is_asked_for(self) -> None:
        found = look(Child({"kml": [layer("a"), layer("b")]}), layer="b")
        assert [each.name for each in found.layers] == ["b"]

    def test_a_wrong_name_is_answered_with_the_right_ones(self) -> None:
        error = refusal(Child({"kml": [layer("a"), layer("b")]}), layer="c")
        assert (error.error_code, error.details["field"]) == ("unknown_layer", "layer")
        assert "'c'" in error.message
        assert "'a', 'b'" in error.message

    def test_one_that_has_no_place_on_the_earth_is_left_out_and_told(self) -> None:
        found = look(Child({"kml": [layer("a"), layer("lost", crs=None)]}))
        assert [each.name for each in found.layers] == ["a"]
        assert codes(found.notes) == ["refused"]
        assert "lost: the CRS of its coordinates is not known" in found.notes[0].message

    def test_where_none_has_the_crs_is_asked_for(self) -> None:
        error = refusal(Child({"kml": [layer(crs=None)]}))
        assert (error.error_code, error.details["field"]) == ("crs_unknown", "source_crs")
        assert error.message == "a: the CRS of its coordinates is not known. It says so."

    def test_one_without_geometries_needs_none(self) -> None:
        assert look(Child({"kml": [layer(crs=None, spatial=False)]})).layers

    def test_too_many_are_refused_unless_one_is_named(self) -> None:
        child = Child({"kml": [layer(f"layer {n}") for n in range(501)]})
        error = refusal(child)
        assert error.error_code == "too_many_layers"
        assert "501 layers" in error.message
        assert len(look(child, layer="layer 7").layers) == 1

    def test_what_was_refused_beside_them_is_a_note(self) -> None:
        found = look(Child({"kml": [layer()]}, refused=["b.mdb is an Access database"]))
        assert [note.message for note in found.notes] == ["b.mdb is an Access database."]
