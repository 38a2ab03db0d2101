from __future__ import annotations

import pytest

from services.vector.inference.code_pages import guess


@pytest.mark.parametrize(
    ("words", "codec"),
    [
        ("Ñandú", "cp1252"),
        ("München Köln Düsseldorf Straße Übersee", "cp1252"),
        ("São Paulo Goiás Ceará", "cp1252"),
        ("ÎLE-DE-FRANCE RHÔNE-ALPES Évry", "cp1252"),
        ("Łódź Gdańsk Wrocław Święty Żory Śląska Częstochowa", "cp1250"),
        ("Čačak Niš Šabac Užice Kruševac Đurđevo Požarevac", "cp1250"),
        ("Москва Санкт-Петербург Новосибирск Екатеринбург", "cp1251"),
        ("МОСКВА КАЗАНЬ", "cp1251"),  # noqa: RUF001
        ("Москва Казань Самара", "cp866"),
        ("Αθήνα Θεσσαλονίκη Πάτρα", "cp1253"),
        ("ירושלים תל אביב", "cp1255"),
        ("القاهرة الإسكندرية", "cp1256"),
        ("กรุงเทพมหานคร เชียงใหม่", "cp874"),
        ("東京都 大阪府 北海道 神奈川県", "cp932"),
        ("北京市 上海市 广州市 深圳", "gb18030"),
        ("臺北市 高雄市 臺中市", "big5"),
        ("서울특별시 부산광역시 대구", "cp949"),
        ("Málaga Cádiz Logroño", "cp850"),
    ],
)
def test_names_of_places_are_enough(words: str, codec: str) -> None:
    texts = [word.encode(codec) for word in words.split() if not word.isascii()]
    found, confidence = guess(texts)
    assert found == codec
    assert 0.3 < confidence < 0.9
