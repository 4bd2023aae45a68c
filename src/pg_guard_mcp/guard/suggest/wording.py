"""A column's name or comment in, what it says the column holds out.

A name is cut into words, and the last run of them that is a term of the vocabulary says what the
column holds, unless a word beside it says otherwise: `email_sent` is no address, and a bare `name`
is a person's only in a relation about persons.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from pg_guard_mcp.guard.suggest.vocabulary import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pg_guard_mcp.catalog import Column, RelationInfo
    from pg_guard_mcp.guard.suggest.vocabulary import Subject

_HUMP = re.compile(r"(?<=[a-z\u00df-\u00ff])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "o", "ł": "l", "đ": "d"}
)
_LONGEST_RUN = 6
_COMPOUND = 5
"""A term of fewer letters may be the end of any word: `pan`, of `japan`."""
_PERSON = 4
_SHORT_NUMBER = 2
_NAME = "name"
_NUMMER = "nummer"
_PHRASE_END = re.compile(
    r"[.;:,()\[\]/\n]|\s-+\s"
    r"|\b(?:of|for|from|to|in|on|as|at|when|whether|if|that|which|who|with|without|by|and|or"
    r"|von|vom|des|der|fuer|für|im|zum|zur|und|wann|ob|del|della|du|des|pour|para|per|por|van|voor"
    r"|dla|do|od|и|для)\b",
    re.IGNORECASE,
)
_PHRASE_WORDS = 5
_GROUPS = {"B": "boolean", "D": "date", "E": "enum", "G": "geometric", "I": "network"}
_GROUPS |= {"N": "number", "S": "text", "U": "other", "C": "other"}
_GROUPS_BY_NAME = {
    **dict.fromkeys(("json", "jsonb", "hstore"), "json"),
    **dict.fromkeys(("geometry", "geography"), "geometric"),
    **dict.fromkeys(("_text", "_varchar", "_bpchar", "_citext", "_json", "_jsonb"), "array"),
    **dict.fromkeys(("_inet", "_cidr"), "network"),
    "uuid": "uuid",
    "bytea": "binary",
    "xml": "text",
}


class Found(NamedTuple):
    """A term in a row of words: what it may mean, how firmly, and the words beside it."""

    subject: Subject
    strength: str
    before: Sequence[str]
    after: Sequence[str]
    plural: bool


def type_group(column: Column) -> str:
    """Sort a column by what its type can hold."""
    return _GROUPS_BY_NAME.get(column.type_name) or _GROUPS.get(column.category, "")


def fold(text: str) -> str:
    """Write `text` in small letters and without accents."""
    small = unicodedata.normalize("NFC", text).casefold().translate(_LETTERS)
    parts = unicodedata.normalize("NFKD", small)
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def words(name: str) -> list[str]:
    """Cut a name into words: at underlines, humps, digits and whatever is no letter."""
    humps = _HUMP.sub(" ", unicodedata.normalize("NFC", name))
    return [
        "number" if word in load().number_words else word for word in _WORD.findall(fold(humps))
    ]


def is_about_persons(info: RelationInfo) -> bool:
    """Tell whether a relation's name, or a column only persons have, says that it is about them."""
    name = words(info.relation.name)
    head = [word for word in name if not _is(word, load().about)][-1:]
    if any(map(_names_a_person, head)):
        return True
    if is_about_things(info):
        return False
    if any(_is(word, load().about) for word in name[-1:]) and any(
        _refers_to_a_person(words(column.name)) for column in info.columns
    ):
        return True
    return any(
        found.subject.of_persons and found.strength == "strong" and not set(found.before) - {"my"}
        for column in info.columns
        for found in [_meaning(words(column.name), type_group(column), persons=False, things=False)]
        if found
    )


def _refers_to_a_person(name: Sequence[str]) -> bool:
    """Tell whether a column is the key of a person: `customer_id`."""
    return len(name) > 1 and name[-1] in {"id", "number", "key"} and _names_a_person(name[-2])


def is_about_things(info: RelationInfo) -> bool:
    """Tell whether a relation's name says that it is about shops, servers or the like."""
    name = words(info.relation.name)
    return bool(name) and _is(name[-1], load().other_things)


def by_name(column: Column, *, persons: bool, things: bool) -> Subject | None:
    """Return what a column's name says it holds."""
    found = _meaning(words(column.name), type_group(column), persons=persons, things=things)
    return found.subject if found else None


def by_comment(column: Column, *, persons: bool, things: bool) -> Subject | None:
    """Return what the first phrase of a column's comment says it holds."""
    phrase = _PHRASE_END.split((column.comment or "").strip(), maxsplit=1)[0]
    found = words(phrase)
    if len(found) > _PHRASE_WORDS:
        return None
    meaning = _meaning(found, type_group(column), persons=persons, things=things)
    # In prose "card" and "login" are words like others.
    return meaning.subject if meaning and meaning.strength != "weak" else None


def is_called_sensitive(comment: str | None) -> bool:
    """Tell whether a comment calls what it is about personal or confidential."""
    text = fold(comment or "")
    marks = [*_phrases(text), *(match for match in _WORD.finditer(text) if _marks(match[0]))]
    return any(not _DENIED.search(text[: mark.start()]) for mark in marks)


_DENIED = re.compile(
    r"非$"
    r"|\b(?:no|not|non|without|never|kein\w*|nicht|ohne|pas|sans|ningun|sin|senza|sem|geen|niet|nie|bez)"
    r"\s+(?:\w+\s+){0,2}$"
    r"|(?:case|time|accent|price|culture)[ -]$"
)


def _phrases(text: str) -> Iterator[re.Match[str]]:
    for phrase in load().sensitive_phrases:
        yield from re.finditer(re.escape(fold(phrase)), text)


def _marks(word: str) -> bool:
    return word in load().sensitive


def _meaning(name: Sequence[str], group: str, *, persons: bool, things: bool) -> Found | None:
    """Return the last term in a name that nothing beside it speaks against."""
    for found in _terms_in(name):
        if group in found.subject.types and _holds(found, persons=persons, things=things):
            return found
    return None


def _holds(found: Found, *, persons: bool, things: bool) -> bool:
    """Tell whether the words beside a term leave it what it is."""
    if (
        any(_is(word, load().not_itself) for word in found.after)
        or any(word in load().not_before for word in found.before)
        or (found.plural and "number" in found.before)
    ):
        return False
    if found.strength == "strong":
        return True
    owned = any(map(_names_a_person, found.before))
    if any(_is(word, load().other_things) for word in [*found.before, *found.after]):
        return False
    bare = all(_is(word, load().people) or _is(word, load().neutral) for word in found.before)
    if found.strength == "weak":
        rest = all(_is(word, load().neutral) for word in found.after)
        return bare and rest and (owned or not things)
    if found.subject.of_persons:
        return owned or (persons and bare)
    return owned or persons or any(word in load().delivered_to for word in found.before)


def _terms_in(name: Sequence[str]) -> Iterator[Found]:
    """Yield every term in a row of words, the last and longest first."""
    for end in range(len(name), 0, -1):
        for start in range(max(0, end - _LONGEST_RUN), end):
            yield from _known("".join(name[start:end]), name[:start], name[end:])
        yield from _in_compound(name[end - 1], name[: end - 1], name[end:])


def _known(run: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Found]:
    for form in _forms(run):
        for subject, strength in _terms().get(form, ()):
            yield Found(subject, strength, before, after, form != run)


def _in_compound(word: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Found]:
    """Yield what a word written in one piece ends in: `kundentelefon`, `authorname`, 手机号."""
    if _is(word, load().lookalikes):
        return
    for place in range(1, len(word) - len(_NAME) + 1):
        end = word[place:]
        for subject, strength in _terms().get(end, ()):
            owner = word[:place]
            if (len(end) >= _COMPOUND and strength == "strong") or _names_a_person(owner):
                yield Found(subject, strength, [*before, owner], after, plural=False)
    if not word.isascii():
        for term, subjects in _terms().items():
            if not term.isascii() and term in word:
                yield from (Found(*each, before, after, plural=False) for each in subjects)


@cache
def _terms() -> dict[str, tuple[tuple[Subject, str], ...]]:
    """Return every term, folded, with what it may mean and how firmly."""
    index: dict[str, tuple[tuple[Subject, str], ...]] = {}
    for subject in load().subjects:
        for strength, terms in (
            ("strong", subject.terms),
            ("weak", subject.weak),
            ("personal", subject.personal),
        ):
            for term in {form for each in terms for form in _spellings(fold(each))}:
                index[term] = (*index.get(term, ()), (subject, strength))
    return index


def _spellings(term: str) -> Iterator[str]:
    """Yield a term, and the same with its word for "number" as it is read elsewhere."""
    yield term
    for word in load().number_words:
        if len(word) > _SHORT_NUMBER and term.endswith(word):
            yield term.removesuffix(word) + "number"
        if len(word) > _SHORT_NUMBER and term.startswith(word):
            yield "number" + term.removeprefix(word)


def _names_a_person(word: str) -> bool:
    """Tell whether a word is one for persons, or ends in one: `sbcustomer`."""
    return any(
        form in load().people or form.endswith(_long_words_for_people()) for form in _forms(word)
    )


@cache
def _long_words_for_people() -> tuple[str, ...]:
    return tuple(word for word in load().people if len(word) >= _PERSON)


def _is(word: str, known: frozenset[str]) -> bool:
    return any(form in known for form in _forms(word))


def _forms(word: str) -> Iterator[str]:
    """Yield a word, and what it may be the plural of or another spelling of."""
    yield word
    if word.endswith(_NUMMER):
        yield word.removesuffix(_NUMMER) + "number"
    for ending, instead in (("ies", "y"), ("es", ""), ("en", ""), ("s", ""), ("n", "")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            yield word.removesuffix(ending) + instead
