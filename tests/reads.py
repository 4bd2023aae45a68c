"""Honest reads: of the demo shop in every shape SQL has, and of defog where it is found.

defog's schemas and gold queries are kept beside the checkout, not in it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

CORPUS = Path(os.environ.get("SQL_CORPUS") or Path(__file__).parents[2] / "shared" / "corpus")
"""Where other people's statements are, if they are here at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An honest query, and which columns of its result a mask may change."""

    name: str
    sql: str
    masked: frozenset[str] = field(default=frozenset())
    is_ordered: bool = False
    """Whether it ends in an ORDER BY that leaves no two rows equal."""


def shop_read(name: str, sql: str, *masked: str) -> Read:
    """Describe a read of the shop; all of them end in a total order."""
    return Read(name=name, sql=sql, masked=frozenset(masked), is_ordered=True)


SHOP_READS = (
    shop_read(
        "an inner and an outer join",
        """SELECT c.id, c.full_name, o.id, t.subject
        FROM customers c JOIN orders o ON o.customer_id = c.id
        LEFT JOIN shop.support_tickets AS t ON t.order_id = o.id
        WHERE o.total > 900 ORDER BY o.id, t.id""",
    ),
    shop_read(
        "USING, NATURAL and FULL joins",
        """SELECT * FROM (SELECT id AS order_id, total FROM orders WHERE id < 90) AS o
        FULL JOIN order_items USING (order_id)
        NATURAL JOIN (SELECT id AS product_id, name FROM products) p
        WHERE order_id < 50 ORDER BY order_id, line""",
    ),
    shop_read(
        "a CTE that has the name of a table",
        """WITH orders AS MATERIALIZED (SELECT * FROM shop.orders WHERE status = 'refunded')
        SELECT id, status, total FROM orders ORDER BY id""",
    ),
    shop_read(
        "a recursive CTE with SEARCH and CYCLE",
        """WITH RECURSIVE steps (n, product_id) AS (
            SELECT 1, 7 UNION ALL
            SELECT n + 1, (product_id * 5) % 200 FROM steps WHERE n < 20
        ) CYCLE product_id SET looped USING path
        SELECT n, name, looped, path FROM steps JOIN products ON id = product_id ORDER BY n""",
    ),
    shop_read(
        "window functions, with a frame and a named window",
        """SELECT id, customer_id, total, row_number() OVER w, lag(total, 1, 0) OVER w,
            sum(total) OVER (w ROWS BETWEEN 2 PRECEDING AND CURRENT ROW),
            ntile(4) OVER w, percent_rank() OVER w
        FROM orders WHERE customer_id < 60
        WINDOW w AS (PARTITION BY customer_id ORDER BY placed_at, id) ORDER BY id""",
    ),
    shop_read(
        "LATERAL, of a table and of a function",
        """SELECT c.id, latest.id, latest.total, word
        FROM shop.customers AS c
        CROSS JOIN LATERAL (SELECT * FROM orders o WHERE o.customer_id = c.id
                            ORDER BY o.placed_at DESC, o.id LIMIT 2) latest
        LEFT JOIN LATERAL string_to_table(c.full_name, ' ') WITH ORDINALITY s(word, n) ON true
        WHERE c.id <= 200 ORDER BY c.id, latest.id, n""",
    ),
    shop_read(
        "GROUPING SETS, ROLLUP and CUBE",
        """SELECT country, status, date_trunc('quarter', placed_at) q, count(*),
            GROUPING(country, status), sum(total) FILTER (WHERE cardinality(tags) > 0)
        FROM orders JOIN customers ON customers.id = customer_id
        GROUP BY GROUPING SETS (ROLLUP (country, status), CUBE (date_trunc('quarter', placed_at)))
        ORDER BY 1 NULLS FIRST, 2, 3, 5""",
    ),
    shop_read(
        "set operations in brackets",
        """((SELECT customer_id FROM orders WHERE status = 'cancelled'
          INTERSECT SELECT customer_id FROM reviews WHERE rating <= 2)
         EXCEPT SELECT customer_id FROM support_tickets
         UNION ALL VALUES (-1), (NULL)) ORDER BY 1""",
    ),
    shop_read(
        "arrays: subscripts, slices, ANY, unnest and aggregates",
        """SELECT tags[1] AS first, tags[:2] AS two, array_length(tags, 1), count(*),
            array_agg(id ORDER BY id DESC) FILTER (WHERE id < 500), 'gift' = ANY (tags),
            ARRAY(SELECT upper(t) FROM unnest(tags) AS t ORDER BY t), tags @> ARRAY['express']
        FROM orders GROUP BY tags ORDER BY tags""",
    ),
    shop_read(
        "jsonb: arrows, paths, construction and expansion",
        """SELECT id, shipping_address ->> 'city', shipping_address #>> '{country}',
            shipping_address @? '$.postcode', key, value,
            jsonb_build_object('tags', tags, 'at', placed_at), shipping_address - 'street',
            jsonb_path_query_first(shipping_address, '$.city')
        FROM orders, jsonb_each_text(shipping_address) WHERE id % 400 = 0 ORDER BY id, key""",
    ),
    shop_read(
        "dates: arithmetic, AT TIME ZONE, EXTRACT, intervals and series",
        """SELECT day::date, to_char(day, 'FMDay DD Mon YYYY'), extract(isodow FROM day),
            date_part('epoch', day), day + interval '1 month 04:01' AS later,
            age(day, '2025-01-31'), (day AT TIME ZONE 'America/New_York')::text,
            day - timestamp '2025-03-30 02:30', count(o.id), date_bin('7 days', day, '2025-01-06')
        FROM generate_series(timestamp '2025-03-25', '2025-04-05', '1 day') AS day
        LEFT JOIN orders AS o ON o.placed_at::date = day::date GROUP BY day ORDER BY day""",
    ),
    shop_read(
        "numbers exactly as they are",
        """SELECT p.id, p.price, p.price / 7, p.price::float8 / 7, -0.0::float8, 'NaN'::numeric,
            9223372036854775807, shop.net_price(p.price, 19), round(p.price, -1),
            width_bucket(p.price, 0, 100, 5), 1e-20::numeric, 2 ^ 0.5, 7 % -3, '1e400'::numeric
        FROM products p ORDER BY p.id""",
    ),
    shop_read(
        "text with every escape there is",
        r"""SELECT id, body, E'tab\there\nline\\back', '\xe9'::bytea, chr(8232) || '|' || chr(12),
            quote_literal(subject), $tag$it's $1 and -- no comment$tag$, '/* no comment */',
            regexp_replace(body, '(\w+) (\w+)', '\2 \1'), format('%s|%-10s|', id, subject), NULL
        FROM support_tickets WHERE id IN (66, 166, 266, 476) ORDER BY id""",
    ),
    shop_read(
        "subqueries: EXISTS, IN, ANY, ALL, rows and scalars",
        """SELECT id, (SELECT max(total) FROM orders o WHERE o.customer_id = c.id) AS most
        FROM customers c
        WHERE EXISTS (SELECT FROM reviews r WHERE r.customer_id = c.id AND r.rating = 5)
          AND id IN (SELECT customer_id FROM payments JOIN orders ON orders.id = order_id)
          AND (country, loyalty_points > 0) = ANY (VALUES ('DE'::bpchar, true), ('FR', false))
          AND id >= ALL (SELECT unnest(ARRAY[1, 2, 3])) ORDER BY id""",
    ),
    shop_read(
        "ordered-set and hypothetical aggregates",
        """SELECT country, percentile_cont(0.5) WITHIN GROUP (ORDER BY loyalty_points),
            mode() WITHIN GROUP (ORDER BY loyalty_points), rank(100) WITHIN GROUP
            (ORDER BY loyalty_points), string_agg(DISTINCT left(full_name, 1), '' ORDER BY
            left(full_name, 1)), bool_and(loyalty_points >= 0), corr(id, loyalty_points)
        FROM customers GROUP BY country HAVING count(*) > 1 ORDER BY country""",
    ),
    shop_read(
        "DISTINCT ON, and LIMIT with ties and an offset",
        """SELECT DISTINCT ON (product_id) product_id, rating, title, written_on
        FROM reviews ORDER BY product_id, rating DESC, written_on DESC, id
        OFFSET 3 ROWS FETCH FIRST 50 ROWS WITH TIES""",
    ),
    shop_read(
        "a partitioned table, a partition alone, views and a materialized view",
        """SELECT 'all' AS what, count(*)::text, sum(amount)::text FROM payments
        UNION ALL SELECT '2025', count(*)::text, max(paid_at)::text FROM ONLY payments_2025
        UNION ALL SELECT 'months', count(*)::text, max(month)::text FROM monthly_revenue
        UNION ALL SELECT 'directory', sum(orders)::text, sum(revenue)::text FROM customer_directory
        ORDER BY 1""",
    ),
    shop_read(
        "whole rows, composites and quoted, folded and repeated names",
        """SELECT ROW(p.id, P.Name), p IS NOT NULL, (SELECT q FROM (SELECT 1 AS a, 'x' b) q),
            "p"."id" AS "Id", p.id AS "Id", p.sku AS "select", to_jsonb(p.*) ->> 'name'
        FROM "shop"."products" AS P WHERE p.id <= 40 ORDER BY p.id""",
    ),
    shop_read("TABLE", "TABLE shop.monthly_revenue ORDER BY month"),
    shop_read("VALUES", "VALUES (1, 'a', NULL), (2, e'\\t', 'b') ORDER BY 1"),
    shop_read("no row at all", "SELECT id, name FROM products WHERE false ORDER BY id"),
    shop_read(
        "every column of a relation with masks",
        "SELECT * FROM customers ORDER BY id",
        *("email", "phone", "ssn", "card_number", "date_of_birth", "notes"),
    ),
    shop_read(
        "masked and clear columns under other names, through a CTE and a view",
        """WITH people (number, mail) AS (SELECT id, email FROM customers)
        SELECT p.number, p.mail AS who, v.dialable_phone, v.full_name, upper(c.ssn) AS other
        FROM people AS p JOIN customer_contacts v ON v.id = p.number
        JOIN shop.customers c ON c.id = v.id ORDER BY p.number""",
        *("who", "dialable_phone", "other"),
    ),
    shop_read(
        "columns named in three parts",
        """SELECT shop.customers.id, shop . customers . email, "shop"."customers"."country",
            shop.orders.total, customers.full_name
        FROM shop.customers JOIN shop.orders ON shop.orders.customer_id = shop.customers.id
        WHERE shop.orders.id < 90 ORDER BY shop.orders.id""",
        "email",
    ),
    shop_read(
        "a masked relation in every spelling",
        """SELECT a.id, (b).country, c.three, to_jsonb(d) - ARRAY['email', 'phone', 'ssn',
            'card_number', 'date_of_birth', 'notes'] AS whole, count(customers) OVER ()
        FROM ONLY customers AS a JOIN "shop"."customers" * b USING (id)
        JOIN Customers AS c (one, two, three) ON c.one = a.id
        JOIN (TABLE customers) d ON d.id = a.id, customers
        WHERE a.id < 40 AND customers.id = 41 - a.id AND c.three <> '' ORDER BY a.id""",
        "three",
    ),
    shop_read(
        "an enum, written bare and with its schema",
        """SELECT status AS state, status::shop.order_status::text, count(*),
            status > 'paid'::order_status AS later
        FROM orders GROUP BY orders.status ORDER BY orders.status""",
    ),
    shop_read(
        "comments wherever they may stand",
        """-- first
        SELECT /* one /* inside */ another */ id -- 'it'
        FROM/**/shop./* here */products--
        ORDER BY id /* last */;""",
    ),
)


def defog_reads() -> dict[str, list[Read]]:
    """Return the reads of every defog schema that is found here."""
    reads: dict[str, list[Read]] = {
        path.stem: [] for path in sorted((CORPUS / "defog").glob("*.sql"))
    }
    if reads:
        for line in (CORPUS / "defog.jsonl").read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            reads[case["schema"]].append(Read(name=case["id"], sql=case["sql"]))
    return reads


def tpc_reads() -> dict[str, list[Read]]:
    """Return the queries of TPC-H and TPC-DS, if they are found here, by the schema they run on."""
    reads: dict[str, list[Read]] = {"tpch": [], "tpcds": []}
    path = CORPUS / "tpc.jsonl"
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            case = json.loads(line)
            schema = "tpch" if case["id"].startswith("tpch") else "tpcds"
            reads[schema].append(Read(name=case["id"], sql=case["sql"]))
    return reads
