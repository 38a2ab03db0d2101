"""KML files as the wild has them: what is kept, what is mended, what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.vector.formats import kml
from services.vector.formats.reader import UnreadableFile
from services.vector.model import ReadOptions
from tests.unit.services.vector.formats.kml.reading import (
    DOCUMENT,
    POINT,
    load,
    load_features,
    load_text,
    placemark,
)

# Folders.


def test_twenty_nested_folders_become_one_path(tmp_path: Path) -> None:
    inner = placemark("deep")
    for level in reversed(range(20)):
        inner = f"<Folder><name>F{level}</name>{inner}</Folder>"

    loaded = load_features(tmp_path, inner)

    assert loaded.column("folder_path") == [" / ".join(f"F{level}" for level in range(20))]
    assert loaded.notes["folders_flattened"] == 20
    assert loaded.notes["redundant_folders"] == 20  # the document holds nothing but F0, too
    assert loaded.layer.name == "Places"


def test_each_placemark_has_the_path_of_its_own_folder(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        placemark("top")
        + f"<Folder><name>A / B</name>{placemark('in')}<Folder>{placemark('unnamed')}</Folder>"
        + "<Folder><name>empty</name></Folder></Folder>"
        + placemark("after"),
    )

    assert loaded.column("folder_path") == [None, "A \\/ B", "A \\/ B", None]
    assert loaded.notes["empty_folders"] == 1


def test_a_folder_named_behind_its_placemarks_names_them_all_the_same(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path, f"<Folder>{placemark('a')}{placemark('b')}<name>late</name></Folder>"
    )

    assert loaded.column("folder_path") == ["late", "late"]


def test_without_a_document_name_the_layer_has_the_name_of_the_file(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, f"<kml>{placemark('a')}</kml>")

    assert loaded.layer.name == "places"
    assert "folder_path" not in loaded.types


def test_the_name_of_an_author_is_not_that_of_the_document(tmp_path: Path) -> None:
    loaded = load_text(
        tmp_path,
        "<kml xmlns:atom='http://www.w3.org/2005/Atom'><Document><atom:author><atom:name>Ann"
        f"</atom:name></atom:author><name>Parks</name>{placemark('a')}</Document></kml>",
    )

    assert loaded.layer.name == "Parks"


# Attributes.


def test_data_simple_data_and_foreign_elements_become_columns(tmp_path: Path) -> None:
    extended = (
        '<ExtendedData xmlns:camp="http://campsites.example"><Data name="holes">'
        "<displayName>Number of holes</displayName><value> 18 </value></Data>"
        '<SchemaData schemaUrl="#S"><SimpleData name="code">007</SimpleData>'
        '<SimpleData name="par">3.5</SimpleData></SchemaData>'
        "<camp:number>14</camp:number><camp:site><camp:size>big</camp:size></camp:site>"
        "</ExtendedData>"
    )
    schema = (
        '<Schema id="S"><SimpleField type="string" name="code"/>'
        '<SimpleField type="float" name="par"/></Schema>'
    )

    loaded = load_features(tmp_path, schema + placemark("a", extended + POINT))

    assert loaded.rows == [
        {"name": "a", "holes": 18, "code": "007", "par": 3.5, "number": 14, "site.size": "big"}
    ]
    columns = {column.name: column for column in loaded.layer.columns}
    assert columns["holes"].evidence[-1] == "displayName: Number of holes"
    assert columns["code"].evidence == ["the Schema says string"]


def test_a_schema_type_that_the_values_are_not_is_not_taken(tmp_path: Path) -> None:
    schema = '<Schema id="S"><SimpleField type="int" name="n"/></Schema>'
    data = (
        '<ExtendedData><SchemaData schemaUrl="#S"><SimpleData name="n">{}</SimpleData>'
        "</SchemaData></ExtendedData>"
    )

    loaded = load_features(
        tmp_path,
        schema + placemark("a", data.format(1) + POINT) + placemark("b", data.format("x") + POINT),
    )

    assert loaded.column("n") == ["1", "x"]
    column = next(each for each in loaded.layer.columns if each.name == "n")
    assert column.evidence[-1] == "the Schema says int, which the values are not"


def test_an_attribute_called_like_a_column_of_kml_gets_a_number(tmp_path: Path) -> None:
    data = (
        '<ExtendedData><Data name="name"><value>inner</value></Data>'
        '<Data name="x"><value>1</value></Data><Data name="x"><value>2</value></Data>'
        "</ExtendedData>"
    )

    loaded = load_features(tmp_path, placemark("outer", data + POINT))

    assert loaded.rows == [{"name": "outer", "name_2": "inner", "x": 1, "x_2": 2}]


def test_the_name_of_a_placemark_is_text_whatever_it_looks_like(tmp_path: Path) -> None:
    loaded = load_features(tmp_path, placemark("1") + placemark("2"))

    assert loaded.types["name"] == "text"
    assert loaded.column("name") == ["1", "2"]


def test_attribute_tables_in_descriptions_become_columns(tmp_path: Path) -> None:
    html = (
        "<![CDATA[<html><body><table><tr><td>Parcel</td></tr><tr><td><table>"
        '<tr><td>FID</td><td>{}</td></tr><tr bgcolor="#D4E4F3"><td>Zone</td><td>R&amp;D</td></tr>'
        "<tr><td>Note</td><td>&lt;Null&gt;</td></tr></table></td></tr></table></body></html>]]>"
    )

    loaded = load_features(
        tmp_path,
        "".join(
            placemark(str(at), f"<description>{html.format(at)}</description>{POINT}")
            for at in range(3)
        ),
    )

    assert loaded.column("FID") == [0, 1, 2]
    assert loaded.column("Zone") == ["R&D"] * 3
    assert loaded.column("Note") == [None] * 3
    assert "<table>" in loaded.column("description")[0]
    columns = {column.name: column for column in loaded.layer.columns}
    assert columns["description"].html
    assert columns["FID"].evidence[0] == "a row of the tables in 3 texts"


def test_a_table_that_repeats_the_extended_data_makes_no_columns(tmp_path: Path) -> None:
    features = "".join(
        placemark(
            "a",
            f"<description><![CDATA[<table><tr><th>fid</th><td>{at}</td></tr>"
            "<tr><th>Zone</th><td>R</td></tr></table>]]></description><ExtendedData>"
            f'<Data name="FID"><value>{at}</value></Data></ExtendedData>{POINT}',
        )
        for at in range(3)
    )

    loaded = load_features(tmp_path, features)

    assert set(loaded.types) == {"name", "description", "FID", "Zone"}


def test_columns_beyond_five_hundred_are_kept_together(tmp_path: Path) -> None:
    data = "".join(f'<Data name="k{at}"><value>{at}</value></Data>' for at in range(510))

    loaded = load_features(tmp_path, placemark("a", f"<ExtendedData>{data}</ExtendedData>{POINT}"))

    assert loaded.types["others"] == "jsonb"
    assert '"k509": "509"' in loaded.column("others")[0]


@pytest.mark.parametrize(
    ("primitive", "kind", "begin", "end"),
    [
        ("<TimeStamp><when>1997</when></TimeStamp>", "date", "1997-01-01", "1997-12-31"),
        ("<TimeStamp><when>2004-02</when></TimeStamp>", "date", "2004-02-01", "2004-02-29"),
        (
            "<TimeSpan><begin>2001-02-03T04:05:06+02:00</begin></TimeSpan>",
            "timestamptz",
            "2001-02-03 02:05:06+00:00",
            None,
        ),
        (
            "<TimeSpan><begin>1876</begin><end>1876-08-01T00:00:00Z</end></TimeSpan>",
            "timestamptz",
            "1876-01-01 00:00:00+00:00",
            "1876-08-01 00:00:00+00:00",
        ),
    ],
)
def test_times_in_all_their_forms(
    tmp_path: Path, primitive: str, kind: str, begin: str, end: str | None
) -> None:
    loaded = load_features(tmp_path, placemark("a", primitive + POINT))

    assert loaded.types["time_begin"] == kind
    assert str(loaded.rows[0]["time_begin"]) == begin
    assert str(loaded.rows[0].get("time_end")) == str(end)


def test_what_is_no_time_is_null_and_counted(tmp_path: Path) -> None:
    features = placemark("a", "<TimeStamp><when>soon</when></TimeStamp>" + POINT)
    features += placemark("b", "<TimeStamp><when>2020-01-01</when></TimeStamp>" + POINT)

    loaded = load_features(tmp_path, features)

    assert loaded.column("time_begin")[0] is None
    assert loaded.value_faults[("time_begin", "not a time")] == 1


def test_styles_are_kept_aside(tmp_path: Path) -> None:
    styles = (
        '<Style id="n"><LineStyle><color>7f0000ff</color><width>2</width></LineStyle>'
        "<PolyStyle><color>ff00ff00</color><fill>0</fill></PolyStyle></Style>"
        '<StyleMap id="m"><Pair><key>normal</key><styleUrl>#n</styleUrl></Pair></StyleMap>'
    )

    loaded = load_features(tmp_path, styles + placemark("a", "<styleUrl>#m</styleUrl>" + POINT))

    assert loaded.column("style_id") == ["m"]
    assert loaded.layer.details["styles"]["m"] == {
        "line": {"color": "rgba(255,0,0,0.5)", "width": 2.0},
        "fill": {"color": "rgba(0,255,0,1)", "fill": False},
    }


# What is no placemark.


def test_what_is_not_loaded_is_in_the_notes(tmp_path: Path) -> None:
    (tmp_path / "inner.kml").write_text("<kml/>")
    loaded = load_features(
        tmp_path,
        "<NetworkLink><Link><href>http://example.com/more.kml</href></Link></NetworkLink>"
        "<NetworkLink><Link><href>inner.kml</href></Link></NetworkLink>"
        "<ScreenOverlay><name>logo</name></ScreenOverlay><PhotoOverlay/>"
        "<GroundOverlay><name>nowhere</name></GroundOverlay>"
        "<gx:Tour><gx:Playlist><gx:AnimatedUpdate><Update><Change><Placemark targetId='a'/>"
        "</Change></Update></gx:AnimatedUpdate></gx:Playlist></gx:Tour>" + placemark("a"),
    )

    assert loaded.column("name") == ["a"]
    assert loaded.notes == {
        "network_links": 1,
        "inner_links": 1,
        "screen_overlays": 1,
        "photo_overlays": 1,
        "ground_overlays": 1,
        "tours": 1,
    }
    link = next(note for note in loaded.layer.notes if note.code == "network_links")
    assert link.message == "1 NetworkLink: not followed: http://example.com/more.kml."


def test_a_ground_overlay_with_a_box_is_a_polygon(tmp_path: Path) -> None:
    loaded = load_features(
        tmp_path,
        "<GroundOverlay><name>map</name><Icon><href>map.png</href></Icon><LatLonBox>"
        "<north>2</north><south>0</south><east>4</east><west>0</west></LatLonBox></GroundOverlay>",
    )

    assert loaded.wkt == ["POLYGON ((0 0, 4 0, 4 2, 0 2, 0 0))"]
    assert loaded.rows == [{"name": "map", "overlay_href": "map.png"}]


def test_a_file_without_features_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"only 2 NetworkLinks \(to a\.example, b\.example\)"):
        load_features(
            tmp_path,
            "".join(
                f"<NetworkLink><Url><href>{host}.example</href></Url></NetworkLink>"
                for host in "ab"
            ),
        )


# Chunks.


def test_chunks_together_are_the_file_with_its_folders(tmp_path: Path) -> None:
    folders = "".join(
        f"<Folder><name>F{folder}</name>"
        + "".join(placemark(f"{folder}.{at}") for at in range(7))
        + f"<Folder>{placemark(f'{folder}.in')}<name>late {folder}</name></Folder></Folder>"
        for folder in range(30)
    )

    whole = load_features(tmp_path, folders)
    cut = load_features(tmp_path, folders, chunk_rows=3)

    assert len(whole.layer.chunks) == 1
    assert len(cut.layer.chunks) > 50
    assert cut.rows == whole.rows
    assert cut.wkt == whole.wkt
    assert cut.column("folder_path")[-1] == "F29 / late 29"


def test_chunks_are_the_same_where_the_file_is_broken(tmp_path: Path) -> None:
    broken = [
        placemark("a"),
        "<Placemark><name>no end</name>",
        "<Placemark><description><![CDATA[ open </description></Placemark>",
        "</Folder></Placemark>",
        "<!-- open ",
        placemark("é & ö"),
    ]
    text = "".join(broken[at % len(broken)] for at in range(120))

    whole = load_features(tmp_path, text)
    cut = load_features(tmp_path, text, chunk_rows=5)

    assert cut.rows == whole.rows
    assert cut.faults == whole.faults
    assert cut.raw == whole.raw


def test_a_sample_ends_early_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.vector.formats.kml.inspection._SAMPLE_BYTES", 1000)
    path = tmp_path / "places.kml"
    path.write_text(DOCUMENT % (placemark("a") * 12_000))

    (layer,) = kml.inspect(path, ReadOptions(sample=True))

    assert layer.features is None
    assert [column.name for column in layer.columns] == ["name"]
    assert load(path).layer.features == 12_000
