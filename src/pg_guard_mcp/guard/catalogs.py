"""Which of Postgres's own catalogs an operator may open by exact name, and what of them stays out.

A list of what was looked at, as everywhere: a catalog that is not on it cannot be opened. Left
off are those that hold secrets (passwords, connection strings, settings, files), the values of
columns (`pg_stats` and its kin print the most common ones, of closed relations as well), the texts
of other sessions' queries, and what moves with other people's writes (the last value of a
sequence).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pg_guard_mcp.catalog import SYSTEM_SCHEMAS
from pg_guard_mcp.errors import Problem
from pg_guard_mcp.model import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATISTICS = """
pg_locks pg_replication_slots pg_stat_all_indexes pg_stat_all_tables pg_stat_archiver
pg_stat_bgwriter pg_stat_checkpointer pg_stat_database pg_stat_database_conflicts pg_stat_io
pg_stat_progress_analyze pg_stat_progress_basebackup pg_stat_progress_cluster
pg_stat_progress_copy pg_stat_progress_create_index pg_stat_progress_vacuum
pg_stat_recovery_prefetch pg_stat_replication pg_stat_replication_slots pg_stat_slru
pg_stat_subscription pg_stat_subscription_stats pg_stat_sys_indexes pg_stat_sys_tables
pg_stat_user_functions pg_stat_user_indexes pg_stat_user_tables pg_stat_wal
pg_statio_all_indexes pg_statio_all_sequences pg_statio_all_tables pg_statio_sys_indexes
pg_statio_sys_sequences pg_statio_sys_tables pg_statio_user_indexes pg_statio_user_sequences
pg_statio_user_tables
"""

_STRUCTURE = """
pg_am pg_attribute pg_available_extension_versions pg_available_extensions pg_cast pg_class
pg_collation pg_constraint pg_database pg_depend pg_description pg_enum pg_extension pg_index
pg_indexes pg_inherits pg_language pg_matviews pg_namespace pg_opclass pg_operator
pg_partitioned_table pg_policies pg_publication pg_publication_tables pg_range pg_rules pg_tables
pg_tablespace pg_timezone_abbrevs pg_timezone_names pg_trigger pg_type pg_views pg_wait_events
"""

_INFORMATION_SCHEMA = """
applicable_roles attributes character_sets check_constraints collations column_column_usage
column_domain_usage column_privileges column_udt_usage columns constraint_column_usage
constraint_table_usage data_type_privileges domain_constraints domains element_types enabled_roles
information_schema_catalog_name key_column_usage parameters referential_constraints
role_column_grants role_table_grants routine_privileges routines schemata sequences sql_features
sql_implementation_info sql_sizing table_constraints table_privileges tables
triggered_update_columns triggers udt_privileges usage_privileges user_defined_types
view_column_usage view_table_usage views
"""

OPENABLE = frozenset(
    {
        *(Relation("pg_catalog", name) for name in f"{_STATISTICS} {_STRUCTURE}".split()),
        *(Relation("information_schema", name) for name in _INFORMATION_SCHEMA.split()),
    }
)
"""Catalogs that may be opened, over all supported majors."""

_CONSTANTS = {
    Relation(schema, name): frozenset(columns.split())
    for schema, name, columns in (
        ("pg_catalog", "pg_attribute", "attfdwoptions attmissingval attoptions"),
        ("pg_catalog", "pg_class", "relpartbound"),
        ("pg_catalog", "pg_constraint", "conbin"),
        ("pg_catalog", "pg_extension", "extcondition"),
        ("pg_catalog", "pg_index", "indexprs indpred"),
        ("pg_catalog", "pg_indexes", "indexdef"),
        ("pg_catalog", "pg_matviews", "definition"),
        ("pg_catalog", "pg_partitioned_table", "partexprs"),
        ("pg_catalog", "pg_policies", "qual with_check"),
        ("pg_catalog", "pg_publication_tables", "rowfilter"),
        ("pg_catalog", "pg_rules", "definition"),
        ("pg_catalog", "pg_trigger", "tgargs tgqual"),
        ("pg_catalog", "pg_type", "typdefault typdefaultbin"),
        ("pg_catalog", "pg_views", "definition"),
        ("information_schema", "attributes", "attribute_default"),
        ("information_schema", "check_constraints", "check_clause"),
        ("information_schema", "columns", "column_default generation_expression"),
        ("information_schema", "domains", "domain_default"),
        ("information_schema", "element_types", "domain_default"),
        ("information_schema", "parameters", "parameter_default"),
        ("information_schema", "routines", "routine_definition"),
        ("information_schema", "triggers", "action_condition action_statement"),
        ("information_schema", "views", "view_definition"),
    )
}


def columns_left_out(relation: Relation) -> frozenset[str]:
    """Name the columns of a catalog that print expressions, and the constants in them.

    The predicate of a partial index, a default, a view's WHERE or a partition's bounds can spell
    out a value that a mask hides elsewhere, so they are left out as soon as anything is masked.
    """
    return _CONSTANTS.get(relation, frozenset())


def is_catalog(relation: Relation) -> bool:
    """Tell whether a relation is one of Postgres's own, by its schema."""
    return relation.schema in SYSTEM_SCHEMAS or relation.schema.startswith("pg_")


def problems(relations: Iterable[Relation]) -> Iterator[Problem]:
    """Find catalogs among the relations that an operator names, and that cannot be opened."""
    for relation in relations:
        if is_catalog(relation) and relation not in OPENABLE:
            yield Problem(
                f"access.relations names {relation}, a catalog that cannot be opened",
                "leave it out; docs/policy.md lists the catalogs that may be opened, and why"
                " the others may not",
            )
