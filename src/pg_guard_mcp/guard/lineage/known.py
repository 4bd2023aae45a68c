"""A call, operator or type of a view's definition in, whether it only computes with its values out.

Anything else may read what it likes: a function of a user, and those of Postgres that nobody
reviewed (`query_to_xml` runs a text as SQL).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pg_guard_mcp.guard import functions
from pg_guard_mcp.guard.lineage.flows import column
from pg_guard_mcp.guard.lineage.ranges import Columns, strings
from pg_guard_mcp.model import Relation, TypeName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pg_guard_mcp.catalog import Catalog, RelationInfo
    from pg_guard_mcp.guard.extensions import Extensions
    from pg_guard_mcp.guard.lineage.ranges import Fields

ANY_ORDER = frozenset(
    """
    avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp every max
    min mode percentile_cont percentile_disc range_agg range_intersect_agg regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev stddev_pop
    stddev_samp sum var_pop var_samp variance
    cume_dist dense_rank percent_rank rank
    """.split()
)
"""Aggregates and window functions that give the same in whatever order rows come."""

AGGREGATES = ANY_ORDER | frozenset(
    """
    any_value array_agg json_agg json_agg_strict json_object_agg json_object_agg_strict
    json_object_agg_unique json_object_agg_unique_strict jsonb_agg jsonb_agg_strict jsonb_object_agg
    jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict string_agg xmlagg
    """.split()
)
"""Reviewed functions that make one value of many rows."""

SETS = frozenset(
    """
    generate_series generate_subscripts json_array_elements json_array_elements_text json_each
    json_each_text json_object_keys json_populate_recordset json_to_recordset jsonb_array_elements
    jsonb_array_elements_text jsonb_each jsonb_each_text jsonb_object_keys jsonb_path_query
    jsonb_path_query_tz jsonb_populate_recordset jsonb_to_recordset regexp_matches
    regexp_split_to_table string_to_table ts_debug ts_parse ts_stat ts_token_type unnest
    """.split()
)
"""Reviewed functions that make rows."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What may be called in one database without reading anything but what it is given."""

    extensions: Extensions
    _columns: dict[Relation, Columns] = field(default_factory=dict)

    @property
    def catalog(self) -> Catalog:
        """The catalog that views are read against."""
        return self.extensions.catalog

    def columns(self, info: RelationInfo) -> Columns:
        """Return the columns of a relation, each of which is itself."""
        if info.relation not in self._columns:
            pairs = ((each.name, column(info.relation, each.name)) for each in info.columns)
            self._columns[info.relation] = Columns(tuple(pairs))
        return self._columns[info.relation]

    def call(self, fields: Fields) -> bool:
        """Tell whether a function only computes."""
        schema, name = _split(strings(fields["funcname"]))
        if schema:
            return bool(self.extensions.function(schema, name))
        return functions.judge_builtin(name, len(fields.get("args", ()))).allowed

    def operator(self, name: tuple[str, ...]) -> bool:
        """Tell whether an operator only computes."""
        schema, symbol = _split(name)
        return not schema or self.extensions.operator(schema, symbol)

    def type(self, name: tuple[str, ...]) -> bool:
        """Tell whether a cast to a type only computes; the CHECKs of a domain give nothing back."""
        schema, bare = _split(name)
        if TypeName(schema or "pg_catalog", bare) in self._cast_by_users:
            return False
        return (
            not schema
            or self.extensions.type(schema, bare) is not None
            or TypeName(schema, bare) in self._of_users
            or Relation(schema, bare) in self.catalog.relations
        )

    def keys(self, relation: Relation) -> Iterator[frozenset[str]]:
        """Yield the columns that tell every two rows of a relation apart, whatever is in them."""
        info = self.catalog.relations.get(relation)
        # A key of a parent does not hold over its children, unless they are partitions.
        if info is None or (info.kind == "table" and relation in self._parents):
            return
        nullable = {each.name for each in info.columns if each.nullable}
        for key in info.keys:
            if key.primary or nullable.isdisjoint(key.columns):
                yield frozenset(key.columns)

    @cached_property
    def _parents(self) -> frozenset[Relation]:
        return frozenset(
            source
            for info in self.catalog.relations.values()
            if info.definition is None
            for source, _ in info.sources
        )

    @cached_property
    def _of_users(self) -> frozenset[TypeName]:
        """Types made of others, whose values need no code of a user to be put together."""
        return frozenset(
            TypeName(info.schema, info.name)
            for info in self.catalog.types
            if info.kind != "b" and info.code is None
        )

    @cached_property
    def _cast_by_users(self) -> frozenset[TypeName]:
        """Types that a function of a user may make values of wherever a cast to them stands."""
        return frozenset(cast.target for cast in self.catalog.casts if cast.extension is None)


def _split(name: tuple[str, ...]) -> tuple[str, str]:
    """Return schema and name; Postgres writes the schema of all but its own."""
    schema = name[-2] if len(name) > 1 else ""
    return ("" if schema == "pg_catalog" else schema), name[-1] if name else ""
