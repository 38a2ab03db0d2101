"""Legends as pictures."""

from __future__ import annotations

from xml.etree import ElementTree

from services.styles.legend_svg import drawn

SVG = "{http://www.w3.org/2000/svg}"


def test_entries_come_in_order_and_as_text() -> None:
    hostile = "<script>alert('1')</script> & more"
    credit = "Parks Board & <b>friends</b>, who know all the parks that there are in Europe"
    picture = ElementTree.fromstring(
        drawn(
            {
                "title": "Parks",
                "attribution": credit,
                "entries": [
                    {"label": "Ia", "color": "#4f137a", "kind": "fill", "outline": "#000000"},
                    {"label": hostile, "color": "'/><a href='https://x.test'", "kind": "line"},
                    {"label": "Town", "color": "navy", "kind": "circle"},
                ],
            }
        )
    )
    texts = [text.text or "" for text in picture.iter(f"{SVG}text")]
    assert texts[:4] == ["Parks", "Ia", hostile, "Town"]
    assert len(texts) > 5, "one line would be wider than the picture"
    assert " ".join(texts[4:]) == credit
    assert {each.tag.removeprefix(SVG) for each in picture.iter()} == {
        "svg", "title", "rect", "text", "line", "circle",
    }  # fmt: skip
    [circle] = picture.iter(f"{SVG}circle")
    assert circle.get("r") == "6"
    [line] = picture.iter(f"{SVG}line")
    assert line.get("stroke") == "'/><a href='https://x.test'"


def test_circles_are_as_large_as_the_legend_says() -> None:
    entries = [
        {"label": f"{radius}", "color": "#ffffff", "kind": "circle", "radius": radius}
        for radius in (2, 4.5, 7)
    ]
    picture = ElementTree.fromstring(
        drawn({"title": "Events", "attribution": None, "entries": entries})
    )
    assert [each.get("r") for each in picture.iter(f"{SVG}circle")] == ["2", "4.5", "7"]
