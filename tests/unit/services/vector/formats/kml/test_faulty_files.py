"""KML files that break the rules: namespaces, encodings, markup, what is cut or never closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.vector.formats.reader import UnreadableFile
from tests.unit.services.vector.formats.kml.reading import (
    DOCUMENT,
    POINT,
    load_features,
    load_text,
    placemark,
)

# Namespaces and spelling.


@pytest.mark.parametrize(
    "root",
    [
        "<kml>%s</kml>",
        '<kml xmlns="http://earth.google.com/kml/2.0">%s</kml>',
        '<kml xmlns="http://earth.google.com/kml/2.1">%s</kml>',
        '<kml xmlns="http://www.opengis.net/kml/2.3">%s</kml>',
        '<kml xmlns="http://wrong.example/kml">%s</kml>',
    ],
)
def test_any_namespace_or_none(tmp_path: Path, root: str) -> None:
    assert load_text(tmp_path, root % placemark("a")).rows == [{"name": "a"}]


def test_prefixed_elements_and_prefixes_that_nobody_declared(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        "<kml:kml><kml:Document><kml:name>P</kml:name><kml:Placemark kml:id='x'><kml:name>a"
        "</kml:name><foo:bar qux:z='1'>b</foo:bar><kml:Point><kml:coordinates>1,2"
        "</kml:coordinates></kml:Point></kml:Placemark></kml:Document></kml:kml>",
    )

    assert loaded.layer.name == "P"
    assert loaded.rows == [{"name": "a", "kml_id": "x"}]
    assert loaded.wkt == ["POINT (1 2)"]
    assert loaded.notes["unknown_elements"] == 1


def test_elements_in_another_case_are_read_with_a_note(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        "<kml><document><placemark><NAME>a</NAME><point><Coordinates>1,2</Coordinates></point>"
        "</placemark></document></kml>",
    )

    assert loaded.rows == [{"name": "a"}]
    assert loaded.wkt == ["POINT (1 2)"]
    assert loaded.notes["misspelt_tags"] == 2


# Encodings and markup.


def test_a_wide_encoding_is_read(tmp_path: Path) -> None:
    text = DOCUMENT.replace("UTF-8", "UTF-16") % placemark("Ärmelkanal")

    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        loaded = load_text(tmp_path, text.encode(encoding), chunk_rows=1)
        assert loaded.rows == [{"name": "Ärmelkanal"}]


def test_a_declared_eight_bit_encoding_is_read(tmp_path: Path) -> None:
    text = DOCUMENT.replace("UTF-8", "windows-1251") % placemark("Москва")

    loaded = load_text(tmp_path, text.encode("cp1251"))

    assert loaded.rows == [{"name": "Москва"}]
    assert loaded.layer.encoding is not None
    assert loaded.layer.encoding.value == "cp1251"


def test_bytes_that_are_not_in_the_declared_encoding(tmp_path: Path) -> None:
    good = (DOCUMENT % (placemark("Zürich") + placemark("BAD"))).encode()

    loaded = load_text(tmp_path, good.replace(b"BAD", b"Gen\xe8ve"))

    assert loaded.column("name") == ["Zürich", "Genève"]
    assert loaded.notes["mixed_encoding"] == 1
    assert loaded.layer.encoding is not None
    assert loaded.layer.encoding.confidence < 1


def test_the_encoding_can_be_given(tmp_path: Path) -> None:
    text = DOCUMENT % placemark("日本")

    assert load_text(tmp_path, text.encode("cp932"), encoding="shift_jis").rows == [
        {"name": "日本"}
    ]
    with pytest.raises(UnreadableFile, match="not known"):
        load_text(tmp_path, text, encoding="klingon")


@pytest.mark.parametrize(
    ("name", "text", "note"),
    [
        ("Tom & Jerry", "Tom & Jerry", "bare_ampersands"),
        ("caf&eacute;&nbsp;X", "café\u00a0X", "html_entities"),
        ("a\x0bb", "ab", "control_characters"),
        ("a&#1;b", "ab", "control_characters"),
        ("a&#xD800;b", "ab", "bare_ampersands"),
        ("AT&T &amp; &lt;", "AT&T & <", "bare_ampersands"),
    ],
)
def test_faults_of_a_text_are_mended_with_a_note(
    tmp_path: Path, name: str, text: str, note: str
) -> None:
    loaded = load_features(tmp_path, placemark(name) + placemark("good"))

    assert loaded.column("name") == [text, "good"]
    if note != "bare_ampersands" or "#x" not in name:
        assert loaded.notes[note] == 1


def test_unescaped_html_in_a_description_is_kept_as_text(tmp_path: Path) -> None:
    html = "<p>one<br>two & <a href=http://x.example?a=1&b=2>three</a><!DOCTYPE html>"

    loaded = load_features(tmp_path, placemark("a", f"<description>{html}</description>{POINT}"))

    assert loaded.column("description") == [html]
    assert loaded.notes["raw_markup"] == 1
    assert not loaded.faults


def test_a_doctype_in_cdata_is_text(tmp_path: Path) -> None:
    html = "<!DOCTYPE html [<!ENTITY a 'b'>]><p>x</p>"

    loaded = load_features(
        tmp_path, placemark("a", f"<description><![CDATA[{html}]]></description>{POINT}")
    )

    assert loaded.column("description") == [html]


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE kml [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE kml [\n<!ELEMENT kml ANY>\n<!ENTITY x SYSTEM "file:///etc/passwd">\n]>',
    ],
)
def test_declared_entities_are_refused(tmp_path: Path, prolog: str) -> None:
    with pytest.raises(UnreadableFile, match="declares XML entities"):
        load_text(tmp_path, f"{prolog}<kml>{placemark('&x;')}</kml>")


def test_a_doctype_without_entities_is_no_fault(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, f'<!DOCTYPE kml SYSTEM "kml.dtd"><kml>{placemark("a")}</kml>')

    assert loaded.rows == [{"name": "a"}]


# Broken files.


def test_a_truncated_file_keeps_all_that_is_whole(tmp_path: Path) -> None:
    text = DOCUMENT % (f"<Folder><name>F</name>{placemark('a')}{placemark('b')}</Folder>")
    cut = text.index("<name>b") + 6

    loaded = load_text(tmp_path, text[:cut])

    assert loaded.column("name") == ["a", None]
    assert loaded.faults == {1: "malformed"}
    assert loaded.details[1].endswith("the file ends before it does")
    assert loaded.raw[1] == "<Placemark><name>"
    assert loaded.notes["truncated"] == 1


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("<Placemark><name>x</nome><Point/></Placemark>", "mismatched tag"),
        ("<Placemark><name>x</name><Point><coordinates>1,2", "comes before its end"),
        ("<Placemark><description><![CDATA[x</description></Placemark>", "CDATA"),
        ("<name>x</name><Point/></Placemark>", "its start tag is missing"),
        ("<Placemark <name>x</name></Placemark>", "not well-formed"),
    ],
)
def test_what_follows_a_broken_placemark_is_read(tmp_path: Path, broken: str, why: str) -> None:
    cdata = "<description><![CDATA[<b>fine</b>]]></description>"
    loaded = load_features(
        tmp_path,
        placemark("before") + broken + placemark("after", cdata + POINT) + placemark("last"),
    )

    assert [name for name in loaded.column("name") if name] == ["before", "after", "last"]
    assert list(loaded.faults.values()) == ["malformed"]
    (detail,) = loaded.details.values()
    assert any(part in detail for part in why.split("|")), detail
    (at,) = loaded.faults
    assert "x" in loaded.raw[at]


def test_placemarks_in_comments_are_not_there(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        f"<!-- {placemark('old')} -->{placemark('new', '<!-- </Placemark> -->' + POINT)}",
    )

    assert loaded.column("name") == ["new"]


def test_a_comment_that_never_ends_hides_nothing(tmp_path: Path) -> None:
    loaded = load_features(tmp_path, placemark("a") + "<!-- oops " + placemark("b"))

    assert loaded.column("name") == ["a", "b"]


def test_an_element_without_an_end_swallows_no_placemark(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        f"<Folder><name>F{placemark('a')}<Style id='s'>{placemark('b')}<GroundOverlay>"
        f"{placemark('c')}</Style></name></Folder>{placemark('d')}",
    )

    assert loaded.column("name") == ["a", "b", "c", "d"]
    assert loaded.notes["broken_elements"] == 2


def test_junk_around_the_document(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, f"\n\ufeff junk {DOCUMENT % placemark('a')} trailing <b>junk</b>")

    assert loaded.column("name") == ["a"]
    assert loaded.notes["junk_behind_end"] == 1


def test_a_tag_of_a_folder_that_is_never_closed(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path, f"<Folder><name>A</name>{placemark('a')}<Folder><name>B</name>{placemark('b')}"
    )

    assert loaded.column("folder_path") == ["A", "A / B"]


def test_raw_is_the_placemark_as_it_is_written(tmp_path: Path) -> None:
    written = "<Placemark  id='x'>\n <name>n &amp; m</name><!-- c --></Placemark>"

    loaded = load_features(tmp_path, written)

    assert loaded.faults == {0: "empty_placemark"}
    assert loaded.raw == [written]
