"""Names and comments tell what a column holds, in a dozen languages, and mostly rightly."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from pg_guard_mcp.catalog import Catalog, Column, Key, RelationInfo
from pg_guard_mcp.guard.masking import matches
from pg_guard_mcp.guard.policy import Policy
from pg_guard_mcp.guard.suggest import lines, proposals, samples
from pg_guard_mcp.guard.suggest.proposals import Proposal
from pg_guard_mcp.guard.suggest.samples import Sighting
from pg_guard_mcp.model import AccessRules, Relation, ResultColumn, ResultSet
from pg_guard_mcp.settings.tables import MaskTable
from pg_guard_mcp.settings.values import check_column_pattern

TABLE = tomllib.loads((Path(__file__).parent / "named_columns.toml").read_text(encoding="utf-8"))
CATEGORIES = {
    **dict.fromkeys(("text", "varchar", "citext"), "S"),
    **dict.fromkeys(("int4", "int8", "numeric", "float8"), "N"),
    **dict.fromkeys(("date", "timestamptz"), "D"),
    **dict.fromkeys(("json", "jsonb", "uuid"), "U"),
    "bool": "B",
    "inet": "I",
    "_text": "A",
}
TYPES = {
    "int4": "integer",
    "int8": "bigint",
    "float8": "double precision",
    "timestamptz": "timestamp with time zone",
    "varchar": "character varying(80)",
    "bool": "boolean",
    "citext": "public.citext",
    "_text": "text[]",
}
"""How Postgres writes a type that is not called as in `pg_type`."""


class Judged(NamedTuple):
    """How proposals compare with what a person said of the same columns."""

    right: set[str]
    wrong: set[str]
    missed: set[str]

    @property
    def precision(self) -> float:
        """The share of proposals that a person would make."""
        return len(self.right) / len(self.right | self.wrong)

    @property
    def recall(self) -> float:
        """The share of what a person would mask that is proposed."""
        return len(self.right) / len(self.right | self.missed)


def column(text: str, comment: str | None = None) -> Column:
    """Make a column of `name:type`."""
    name, _, kind = text.partition(":")
    kind = kind or "text"
    return Column(
        name=name,
        type=TYPES.get(kind, kind),
        type_name=kind,
        type_schema="pg_catalog",
        category=CATEGORIES[kind],
        nullable=True,
        default=None,
        comment=comment,
        readable=True,
    )


def relation(name: str, *columns: Column, comment: str | None = None) -> RelationInfo:
    """Make a table."""
    return RelationInfo(
        relation=Relation("s", name),
        kind="table",
        columns=columns,
        estimated_rows=0,
        comment=comment,
    )


def proposed(info: RelationInfo) -> dict[str, str]:
    """Return the kinds proposed for a relation of which no row was read."""
    return {each.column: each.kind for each in proposals.propose(info, info.columns, {})}


def judged() -> Judged:
    """Compare the proposals for the whole table with its labels."""
    found = Judged(set(), set(), set())
    for each in TABLE["relation"]:
        groups = {name: each.get(name, "").split() for name in ("personal", "plain", "either")}
        info = relation(
            each["name"], *(column(text) for texts in groups.values() for text in texts)
        )
        names = {
            group: {f"{each['name']}.{text.partition(':')[0]}" for text in texts}
            for group, texts in groups.items()
        }
        masks = {f"{each['name']}.{name}" for name in proposed(info)}
        found.right.update(masks & names["personal"])
        found.wrong.update(masks & names["plain"])
        found.missed.update(names["personal"] - masks)
    return found


def test_names_are_read_as_a_person_reads_them() -> None:
    found = judged()

    assert found.precision >= 0.98, found.wrong
    assert found.recall >= 0.98, found.missed
    assert len(found.right | found.missed) >= 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("email", "email"),
        ("phone:int8", "redact"),
        ("access_token:uuid", "redact"),
        ("phones:_text", "redact"),
        ("birth_date:date", "year"),
        ("birth_date", "redact"),
        ("birth_year:int4", "bucket:10"),
        ("salary:numeric", "bucket:10000"),
        ("salary", "redact"),
        ("username:citext", "hash"),
        ("device_id:uuid", "hash"),
        ("last_login_ip:inet", "redact"),
        ("contact_email:jsonb", "redact"),
    ],
)
def test_the_mask_is_the_most_telling_one_that_serves_the_type(name: str, kind: str) -> None:
    assert list(proposed(relation("things", column(name))).values()) == [kind]


@pytest.mark.parametrize(
    "name",
    [
        "email_sent:bool",
        "email:bool",
        "card_count:int4",
        "address_id:int8",
        "token_count:int4",
        "phone_verified:bool",
        "num_phones:int4",
        "password_changed_at:timestamptz",
        "headphone",
        "journalname",
        "max_salary:numeric",
    ],
)
def test_what_is_only_about_such_data_is_left_alone(name: str) -> None:
    assert proposed(relation("customers", column(name))) == {}


def test_a_bare_name_is_a_person_s_only_in_a_relation_about_persons() -> None:
    assert proposed(relation("products", column("name"))) == {}
    assert proposed(relation("patients", column("name"))) == {"name": "first1"}
    assert proposed(relation("sbCustomer", column("name"))) == {"name": "first1"}
    assert proposed(relation("grp7", column("name"), column("ssn"))).keys() == {"name", "ssn"}
    marked = relation("grp7", column("name"), comment="Holds personal data")
    assert proposed(marked) == {"name": "first1"}


@pytest.mark.parametrize(
    ("comment", "kind"),
    [
        ("E-mail address of the owner", "email"),
        ("E-Mail-Adresse", "email"),
        ("Numéro de téléphone du client", "last4"),
        ("手机号码", "last4"),
        ("Личный телефон", "last4"),
        ("Nobody's business; personal data", "redact"),
        ("Enthält personenbezogene Daten", "redact"),
        ("PII", "redact"),
        ("Contient des données personnelles", "redact"),
        ("个人信息", "redact"),
    ],
)
def test_a_comment_speaks_where_the_name_does_not(comment: str, kind: str) -> None:
    assert proposed(relation("things", column("field_7", comment))) == {"field_7": kind}


@pytest.mark.parametrize(
    "comment",
    [
        "Holds no personal data",
        "Contains no sensitive values",
        "Case-sensitive code",
        "Keine personenbezogenen Daten",
        "Sans données personnelles",
        "card, invoice or transfer",
        "Whether an e-mail was sent",
        "Number of the e-mail template",
        "Key of customers, see customers.email",
        None,
        "",
    ],
)
def test_a_comment_that_only_mentions_such_data_says_nothing(comment: str | None) -> None:
    assert proposed(relation("things", column("field_7", comment))) == {}


def test_a_number_that_is_a_key_stays_whatever_its_comment_says() -> None:
    columns = (column("id:int8", "Personal data"), column("code", "Personal data"))
    info = relation("things", *columns)

    keyed = replace(info, keys=(Key(primary=True, columns=("id", "code")),))

    assert proposed(info) == {"id": "redact", "code": "redact"}
    assert proposed(keyed) == {"code": "redact"}


def sample(kind: str, values: list[str | None]) -> dict[str, list[Sighting]]:
    """Say what the detectors see in the values of a column `x`."""
    result = ResultSet(columns=(ResultColumn("x", kind),), rows=[(value,) for value in values])
    return {
        name: list(found)
        for name, found in samples.sightings(result, [column(f"x:{kind}")]).items()
    }


MAIL = [f"somebody{number}@example.com" for number in range(20)]
CARD = "4111111111111111"


def test_a_share_of_the_values_is_told_in_coarse_words_and_no_value_is() -> None:
    assert sample("text", [*MAIL, None, ""]) == {"x": [Sighting("email", "nearly all", whole=True)]}
    words = [f"word {number}" for number in range(20)]
    assert sample("text", [*MAIL[:12], *words[:8]]) == {
        "x": [Sighting("email", "most", whole=True)]
    }
    noted = [f"write to {mail}" for mail in MAIL[:5]]
    assert sample("text", [*noted, *words]) == {"x": [Sighting("email", "many", whole=False)]}
    assert sample("int8", [CARD] * 5) == {"x": [Sighting("payment-card", "nearly all", whole=True)]}


@pytest.mark.parametrize("values", [[], [None, ""], ["word"] * 20, [*(["word"] * 60), MAIL[0]]])
def test_a_stray_hit_is_no_evidence(values: list[str | None]) -> None:
    assert sample("text", values) == {"x": []}


def test_ids_of_which_some_could_be_cards_are_no_cards() -> None:
    ids = [str(4_000_000_000_000_000 + number * 97) for number in range(300)]

    assert sample("text", list(ids)) == {"x": []}
    assert sample("int8", list(ids)) == {"x": []}


def test_values_that_contradict_the_name_are_redacted() -> None:
    info = relation("things", column("phone"))
    seen = {"phone": [Sighting("email", "most", whole=True)]}

    (found,) = proposals.propose(info, info.columns, seen)

    assert (found.kind, found.reason) == (
        "redact",
        "telephone number or e-mail address: by its name, email in most of the values sampled",
    )


def proposal(schema: str, name: str, column_name: str, kind: str = "email") -> Proposal:
    """Make a proposal."""
    return Proposal(relation=Relation(schema, name), column=column_name, kind=kind, reason="why")


ODD = [
    ("shop", "customers", "email"),
    ("Shop", "Customers", "E Mail"),
    ("a.b", "c.d", "e.f"),
    ("s", "t", "with*star"),
    ("s", "t", " blank edges "),
    ("s", "t", " "),
    ("s", "t", ".."),
    ("s", "t", 'quote"back\\slash'),
    ("s", "t", "tab\tnew\nline\x7f"),
    ("s", "prämie", "电话"),
]


@pytest.mark.parametrize("names", ODD, ids=repr)
def test_a_pattern_can_be_read_back_and_fits_its_column(names: tuple[str, str, str]) -> None:
    pattern = lines.pattern(Relation(*names[:2]), names[2])

    text = "\n".join(lines.written([proposal(*names)], [".".join(names)]))
    table = tomllib.loads(text)["mask"]

    assert table == {pattern: "email"}
    assert check_column_pattern(pattern) == pattern
    assert matches(pattern, ".".join(names))
    assert MaskTable(**table).columns == table


def test_a_pattern_that_fits_more_says_so_and_redacts() -> None:
    columns = ["s.t.e.mail", "s.t.e_mail", "s.t.email"]

    written = list(lines.written([proposal("s", "t", "e.mail")], columns))

    assert written == [
        "[mask]",
        "# why",
        '# this pattern fits "s.t.e_mail" too',
        '# this pattern fits "s.t.email" too',
        '"s.t.e*mail" = "redact"',
    ]


def test_two_columns_of_one_pattern_share_the_stricter_mask() -> None:
    both = [proposal("s", "t", "a.b"), proposal("s", "t", "a*b", "last4")]

    assert lines.kinds(both, ["s.t.a.b", "s.t.a*b"]) == {"s.t.a*b": "redact"}


def test_views_that_stand_on_one_another_deeper_than_python_recurses_are_looked_at() -> None:
    names = [Relation("shop", f"v{number}") for number in range(1500)]
    infos = {
        name: replace(relation(name.name), relation=name, sources=((below, "a"),))
        for below, name in pairwise(names)
    }
    infos[names[0]] = replace(relation(names[0].name), relation=names[0])
    deep = Policy(
        rules=AccessRules(),
        catalog=Catalog(relations=infos),
        open_relations={names[-1]: infos[names[-1]]},
    )

    (level,) = proposals.levels(deep)

    assert [info.relation for info in level] == [names[-1]]
