"""`policy suggest` proposes masks that the server takes, and never shows what it looked at."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from pg_guard_mcp.cli.main import main
from tests.postgres.databases import shared_database
from tests.reads import CORPUS
from tests.support.defog import load_defog
from tests.support.postgres import connected, fresh_database
from tests.support.server import configure, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Shop, ShopServer
    from tests.support.server import Place

SHOP_MASKS = {
    "shop.api_keys.secret": "redact",
    "shop.customers.card_number": "last4",
    "shop.customers.date_of_birth": "year",
    "shop.customers.email": "email",
    "shop.customers.full_name": "first1",
    "shop.customers.notes": "redact",
    "shop.customers.phone": "last4",
    "shop.customers.ssn": "redact",
    "shop.orders.shipping_address": "redact",
    "shop.payments.card": "last4",
}
KEY = {"PG_GUARD_MASK_KEY": "bm90IGEga2V5IHRvIGtlZXA6IHRoaXJ0eS10d28gYnl0ZXM="}
CANARY = "zq7canary"
ODD = f"""
CREATE SCHEMA odd;
CREATE SCHEMA "Odd.er";
CREATE DOMAIN odd.address AS text;
CREATE TYPE odd.mood AS ENUM ('fine');
CREATE TYPE odd.pair AS (a int, b text);
CREATE TABLE odd.people (
    id int PRIMARY KEY, "E-Mail" text, "e.mail" varchar(60), "e*mail" text, " phone " bpchar(20),
    "Password ""old""s" text, birth_date date, birth_year int, date_of_birth timestamptz,
    home_address odd.address, home_addresses text[], billing_address jsonb, contact_email json,
    salary numeric, salary_float float8, last_login_ip inet, access_token uuid, password bytea,
    allergies boolean, religion odd.mood, delivery_address odd.pair, last_location point,
    phone bigint, ssn int, "电话" text, memo text, papers text, login_name text UNIQUE
);
INSERT INTO odd.people (id, memo, papers, "E-Mail", login_name)
SELECT n, 'call {CANARY}' || n || '@example.com soon',
       'AKIA' || translate(upper(substr(md5(n::text), 1, 16)), '0189', 'GHJK'),
       '{CANARY}' || n || '@example.com',
       '{CANARY}' || n
FROM generate_series(1, 40) n;
CREATE TABLE "Odd.er"."Cus.tomers" ("Last Name" text, "Sur*name" text, n int);
CREATE TABLE odd.visits (id int PRIMARY KEY, who text REFERENCES odd.people (login_name));
CREATE TABLE odd.mailboxes (email text PRIMARY KEY);
CREATE TABLE odd.letters (id int PRIMARY KEY, reader text REFERENCES odd.mailboxes);
CREATE VIEW odd.people_upper AS SELECT id, upper(login_name) AS big, phone FROM odd.people;
CREATE VIEW odd.constants AS SELECT 1 AS id, 'someone@example.org'::text AS email;
CREATE TABLE odd.parts (id int, email text) PARTITION BY RANGE (id);
CREATE TABLE odd.parts_1 PARTITION OF odd.parts FOR VALUES FROM (0) TO (10);
CREATE TABLE odd.closed (email text);
CREATE TABLE odd.half (email text, phone text);
"""


@contextmanager
def odd_database(server: ShopServer) -> Iterator[Shop]:
    """Hold a database with names and types of every kind."""
    with shared_database(server) as shop:
        anyio.run(furnish, shop)
        yield shop


async def furnish(shop: Shop) -> None:
    """Make the relations, and let the role read nearly all of them."""
    async with connected(shop.admin) as connection:
        await connection.execute(
            f"""
            {ODD}
            GRANT USAGE ON SCHEMA odd, "Odd.er" TO {shop.agent.user};
            GRANT SELECT ON ALL TABLES IN SCHEMA odd, "Odd.er" TO {shop.agent.user};
            REVOKE SELECT ON odd.closed, odd.half FROM {shop.agent.user};
            GRANT SELECT (phone) ON odd.half TO {shop.agent.user};
            """
        )


@pytest.fixture(scope="module")
def odd(postgres: ShopServer) -> Iterator[Shop]:
    """Hold such a database for all tests."""
    with odd_database(postgres) as shop:
        yield shop


def suggested(
    place: Place, capsys: pytest.CaptureFixture[str], *flags: str
) -> tuple[dict[str, str], str]:
    """Run the command, and give the table it printed and all of its text."""
    assert main(["policy", "suggest", "--policy", str(place.policy), *flags]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    table = tomllib.loads(out)
    assert table.keys() == {"mask"}
    return table["mask"], out


def test_the_shop_gets_the_masks_a_person_would_give_it(
    postgres: ShopServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks, out = suggested(configure(tmp_path, postgres.agent), capsys)

    assert masks == SHOP_MASKS
    assert out.startswith("# Masks proposed: 10, over 14 open relations.\n")
    assert "# e-mail address: email in many of the values sampled\n" in out


def test_without_samples_only_names_and_comments_speak(
    postgres: ShopServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks, out = suggested(configure(tmp_path, postgres.agent), capsys, "--no-samples")

    assert masks == {name: kind for name, kind in SHOP_MASKS.items() if "notes" not in name}
    assert "sampled" not in out


def test_what_the_policy_decides_is_not_proposed_again(
    postgres: ShopServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = """
    [access]
    schemas = ["shop"]
    deny_relations = ["shop.api_keys"]
    [mask]
    "*.*.email" = "hash"
    "shop.customers.phone" = "redact"
    "shop.payments.card" = "clean"
    """

    masks, out = suggested(configure(tmp_path, postgres.agent, tables), capsys)

    decided = {"customers.email", "customers.phone", "payments.card", "api_keys.secret"}
    assert masks == {
        name: kind for name, kind in SHOP_MASKS.items() if name.removeprefix("shop.") not in decided
    }
    # The two, and what views make of them.
    assert "# Columns that the policy masks already: 5; they are left out.\n" in out


def test_with_nothing_open_every_schema_of_the_role_is_looked_at_and_a_flag_picks_some(
    odd: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = configure(tmp_path, odd.agent, "")

    every, _ = suggested(place, capsys)
    one, _ = suggested(place, capsys, "--schema", "Odd.er")

    assert {name.partition(".")[0] for name in every} == {"shop", "odd", "Odd*er"}
    assert one == {"Odd*er.Cus*tomers.Last Name": "first1", "Odd*er.Cus*tomers.Sur*name": "first1"}


def test_every_mask_proposed_can_be_served(
    odd: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    access = '[access]\nschemas = ["shop", "odd", "Odd.er"]\n'
    masks, out = suggested(configure(tmp_path / "before", odd.agent, access), capsys)
    place = configure(tmp_path / "after", odd.agent, access + out, environment=KEY)

    with serving(place, "legacy") as server:
        answers = {
            relation: server.query(f"SELECT * FROM {relation}")
            for relation in ("odd.people", '"Odd.er"."Cus.tomers"', "odd.visits", "odd.parts")
        }
        described = server.call("describe_view", name="odd.people").text

    assert {name: answer.text for name, answer in answers.items() if answer.is_error} == {}
    assert CANARY not in "".join(answer.text for answer in answers.values())
    assert CANARY not in described
    assert {
        name.removeprefix("odd.people."): kind
        for name, kind in masks.items()
        if name.startswith("odd.people.")
    } == {
        "E-Mail": "email",
        # Neither can be written without the other, or without the one before.
        "e*mail": "redact",
        # It fits the column without blanks as well.
        "*phone*": "redact",
        'Password "old"s': "redact",
        "birth_date": "year",
        "birth_year": "bucket:10",
        "date_of_birth": "year",
        "home_address": "redact",
        "home_addresses": "redact",
        "billing_address": "redact",
        "contact_email": "redact",
        "salary": "bucket:10000",
        "salary_float": "bucket:10000",
        "last_login_ip": "redact",
        "access_token": "redact",
        "password": "redact",
        "allergies": "redact",
        "religion": "redact",
        "delivery_address": "redact",
        "last_location": "redact",
        "phone": "redact",
        "ssn": "redact",
        "电话": "last4",
        "memo": "redact",
        "papers": "redact",
        "login_name": "hash",
    }


def test_what_views_and_partitions_inherit_is_not_written_again_and_keys_are_tied(
    odd: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = configure(tmp_path, odd.agent, '[access]\nschemas = ["odd"]\n')

    masks, out = suggested(place, capsys)

    assert not any(name.startswith(("odd.people_upper", "odd.parts_1")) for name in masks)
    assert masks["odd.parts.email"] == "email"
    assert masks["odd.constants.email"] == "email"
    # The name says nothing; the values are those of a masked column.
    assert masks["odd.visits.who"] == masks["odd.people.login_name"] == "hash"
    # Shortened to their first letters, addresses would no longer find each other.
    assert masks["odd.letters.reader"] == masks["odd.mailboxes.email"] == "hash"
    assert "# tied by a foreign key to a column that is masked\n" in out
    # What the role may not read needs no mask.
    assert "odd.half.phone" in masks
    assert not {"odd.half.email", "odd.closed.email"} & masks.keys()


def test_no_sampled_value_is_shown_and_nothing_goes_on_the_trail(
    odd: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    place = configure(tmp_path, odd.agent, '[access]\nschemas = ["odd"]\n')

    masks, out = suggested(place, capsys)

    assert {"odd.people.memo", "odd.people.papers"} <= masks.keys()
    assert "cloud-key in nearly all of the values sampled" in out
    assert CANARY not in out + caplog.text
    assert "AKIA" not in out + caplog.text
    assert not place.audit.exists()


async def test_a_relation_that_cannot_be_read_goes_by_its_names(
    fresh_shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with connected(fresh_shop.admin) as connection:
        await connection.execute(
            f"""
            CREATE SCHEMA broken;
            CREATE VIEW broken.people AS SELECT id, '{CANARY}' AS email, (1 / (id - id))::text AS x
                FROM shop.products;
            GRANT USAGE ON SCHEMA broken TO {fresh_shop.agent.user};
            GRANT SELECT ON broken.people TO {fresh_shop.agent.user};
            """
        )
    place = configure(tmp_path, fresh_shop.agent, '[access]\nschemas = ["broken"]\n')

    masks, out = await anyio.to_thread.run_sync(suggested, place, capsys)

    assert masks == {"broken.people.email": "email"}
    assert "# Relations that could not be read, and went by names alone: 1.\n" in out
    assert CANARY not in out


async def test_a_large_table_is_sampled_all_over(
    fresh_shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is personal may have come late."""
    async with connected(fresh_shop.admin) as connection:
        await connection.execute(
            f"""
            CREATE TABLE shop.log AS
            SELECT n, CASE WHEN n > 1000 THEN n || '@example.com' ELSE 'none' END AS line
            FROM generate_series(1, 30000) n;
            ANALYZE shop.log;
            GRANT SELECT ON shop.log TO {fresh_shop.agent.user};
            """
        )
    place = configure(tmp_path, fresh_shop.agent)

    masks, _ = await anyio.to_thread.run_sync(suggested, place, capsys)

    assert masks["shop.log.line"] == "email"


def test_a_configuration_that_does_not_fit_is_bad_usage(
    postgres: ShopServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = configure(tmp_path / "one", postgres.agent)
    flags = ["policy", "suggest", "--policy", str(place.policy)]

    assert main([*flags, "--schema", "nowhere"]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main([*flags, "--dsn", "postgresql://agent_ro@127.0.0.1:1/shop"]) == 1


PERSONAL = {
    "academic": "author.name",
    "advising": "instructor.name student.lastname student.firstname",
    "atis": "",
    "broker": """sbcustomer.sbcustname sbcustomer.sbcustemail sbcustomer.sbcustphone
        sbcustomer.sbcustaddress1 sbcustomer.sbcustaddress2 sbcustomer.sbcustpostalcode""",
    "car_dealership": """customers.first_name customers.last_name customers.email customers.phone
        customers.address customers.zip_code salespersons.first_name salespersons.last_name
        salespersons.email salespersons.phone""",
    "derm_treatment": """doctors.first_name doctors.last_name patients.first_name
        patients.last_name patients.date_of_birth patients.email patients.phone
        patients.addr_street patients.addr_zip patients.ins_policy_num patients.height_cm
        patients.weight_kg""",
    "consumer_div": """merchants.contact_name merchants.contact_email merchants.contact_phone
        users.username users.email users.phone_number users.address_billing users.address_delivery
        user_setting_snapshot.password_hash user_setting_snapshot.api_key
        user_setting_snapshot.verified_ips wallet_transactions_daily.ip_address
        wallet_transactions_daily.device_id notifications.device_id user_sessions.device_id""",
    "ewallet": "",
    "geography": "",
    "restaurants": "",
    "scholar": "author.authorname",
    "yelp": "users.name",
}
"""What a person would mask in the schemas of defog, as they are loaded."""
DEBATABLE = {
    *("derm_treatment.doctors.loc_zip", "derm_treatment.doctors.bd_cert_num"),
    *("derm_treatment.patients.gender", "consumer_div.merchants.address"),
    *("consumer_div.user_setting_snapshot.verified_devices", "car_dealership.cars.vin_number"),
    "consumer_div.wallet_transactions_daily.user_agent",
}


@pytest.mark.parametrize("schema", sorted(path.stem for path in CORPUS.glob("defog/*.sql")))
async def test_a_schema_of_defog_gets_the_masks_a_person_would_give_it(
    postgres: ShopServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], schema: str
) -> None:
    async with fresh_database(postgres, "template0") as place:
        await load_defog(place, [schema])
        masks, _ = await anyio.to_thread.run_sync(
            suggested, configure(tmp_path, place.agent, ""), capsys
        )

    schemas = {schema, "consumer_div"} if schema == "ewallet" else {schema}
    expected = {f"{each}.{name}" for each in schemas for name in PERSONAL[each].split()}
    assert masks.keys() - DEBATABLE == expected
