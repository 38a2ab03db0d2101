"""Which code page short texts are in, such as names: too few for the statistics of languages.

Each candidate is judged by how the texts look in it. In the wrong one, letters become symbols,
capitals stand within words, scripts mix, and Latin words are made of accents only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final

CANDIDATES: Final = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp874",
    "cp932", "gb18030", "big5", "cp949", "cp850", "cp437", "cp866",
)  # fmt: skip

_WORD = re.compile(r"\w+", re.UNICODE)
# Letters that the languages of a code page use: others are possible, and rare.
_USUAL_LATIN: Final = {
    "cp1252": "àâäáãåæçèéêëìíîïñòóôöõøùúûüßÿœ",
    "cp850": "àâäáãåæçèéêëìíîïñòóôöõøùúûüß",
    "cp437": "àâäáåæçèéêëìíîïñòóôöùúûüß",
    "cp1250": "áâăäąçčćďđéęěëíîłľĺńňóôöőřŕśšşťţúůűüýźżž",
    "cp1254": "âçğ\u0131i\u0307îöşüû",  # the dotted I folds to two characters
    "cp1257": "āąčćēėęģīįķļłņńōõóöšśūųüźżžäå",
}
_SYMBOL_COST: Final = 3.0
_CAPITAL_COST: Final = 2.0
_MIXED_COST: Final = 2.0
_ACCENTS_COST: Final = 0.8
_SMALL_INITIAL_COST: Final = 0.2
_WRITTEN_TOGETHER: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA"})
_RARE_LETTER: Final = 0.4
_RARE_IDEOGRAPH: Final = 0.25
_IDEOGRAPH: Final = 0.95
# Ties go to the first candidate, and one in the list before needs no more than that.
_PRECEDENCE: Final = 0.002


def guess(texts: Sequence[bytes]) -> tuple[str, float]:
    """The likeliest codec of texts that are not ASCII, and how sure it is (0.3 to 0.85)."""
    scores = {
        codec: _score(texts, codec) - _PRECEDENCE * place for place, codec in enumerate(CANDIDATES)
    }
    ordered = sorted(scores, key=lambda codec: -scores[codec])
    best, second = ordered[:2]
    margin = scores[best] - scores[second]
    evidence = min(1.0, sum(_high(text) for text in texts) / 40)
    confidence = 0.45 + 0.2 * evidence + min(0.2, margin)
    return best, round(confidence if scores[best] > 0 else 0.3, 2)


def _score(texts: Sequence[bytes], codec: str) -> float:
    """From 1, all is as a reader of the language expects it, down; by byte, so that code pages
    of one byte and of two compare."""
    total = sum(map(_high, texts)) or 1
    return sum(_text_score(text, codec) for text in texts) / total


def _high(text: bytes) -> int:
    return sum(byte > 0x7F for byte in text)


def _text_score(data: bytes, codec: str) -> float:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return -_SYMBOL_COST * _high(data)
    wide = codec in ("cp932", "gb18030", "big5", "cp949")
    score = 0.0
    for character in text:
        if character < "\x80":
            continue
        width = _high(character.encode(codec)) if wide else 1
        score += _character_score(character, codec) * width
    return score - sum(map(_word_cost, _WORD.findall(text)))


@lru_cache(maxsize=4096)
def _character_score(character: str, codec: str) -> float:
    category = unicodedata.category(character)
    if category[0] not in "LM":
        return -_SYMBOL_COST if category[0] in "SCN" else -1.0
    if _script(character) in ("HANGUL", "HIRAGANA", "KATAKANA"):
        return 1.0
    if _script(character) == "CJK":
        return _IDEOGRAPH if _is_common_ideograph(character, codec) else _RARE_IDEOGRAPH
    if _script(character) == "LATIN":
        return 1.0 if character.casefold() in _USUAL_LATIN.get(codec, "") else _RARE_LETTER
    return 1.0


def _is_common_ideograph(character: str, codec: str) -> bool:
    """Whether it is in the first level of its standard, which has the everyday ones."""
    lead = character.encode(codec)[0]
    first_level = {
        "gb18030": (0xB0, 0xD7), "big5": (0xA4, 0xC6), "cp932": (0x88, 0x97),
        "cp949": (0xB0, 0xC8),
    }  # fmt: skip
    low, high = first_level[codec]
    return low <= lead <= high and len(character.encode(codec)) == 2


def _word_cost(word: str) -> float:
    letters = [character for character in word if character.isalpha()]
    cost = sum(
        _CAPITAL_COST for one, next_ in pairwise(letters) if one.islower() and next_.isupper()
    )
    scripts = {_script(character) for character in letters}
    if len(scripts - _WRITTEN_TOGETHER) > 1 or scripts >= {"LATIN", "CJK"}:
        cost += _MIXED_COST
    if word[0] > "\x7f" and word[0].islower():
        cost += _SMALL_INITIAL_COST
    accents = sum(character > "\x7f" for character in letters)
    if scripts == {"LATIN"} and len(letters) > 2 and accents > len(letters) / 2:
        cost += _ACCENTS_COST * accents
    return cost


@lru_cache(maxsize=4096)
def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0]
