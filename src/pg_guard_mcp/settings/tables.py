"""The tables of `pg-guard.toml` as types: every setting, its default, its bounds, its meaning.

An empty configuration serves nothing: no schema is open until one is named. Types are strict,
so that `max_rows = true` is an error and not one row.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pg_guard_mcp.model import AccessRules, Extension, Limits, Relation
from pg_guard_mcp.settings.dsn import SslMode, check_dsn
from pg_guard_mcp.settings.values import (
    check_client,
    check_column_pattern,
    check_credential,
    check_directory,
    check_function,
    check_host,
    check_mask_kind,
    check_profile,
    check_relation,
    check_relation_pattern,
    check_schema,
)

Detector = Literal[
    "payment-card", "us-ssn", "iban", "email", "phone", "jwt", "private-key", "cloud-key"
]

# Lax for the tuple alone: TOML and JSON have lists, and we want what cannot change.
_AsTuple = Field(strict=False)
_Schemas = Annotated[tuple[Annotated[str, AfterValidator(check_schema)], ...], _AsTuple]
_Relations = Annotated[tuple[Annotated[str, AfterValidator(check_relation)], ...], _AsTuple]
_RelationPatterns = Annotated[
    tuple[Annotated[str, AfterValidator(check_relation_pattern)], ...], _AsTuple
]
_ColumnPatterns = Annotated[
    tuple[Annotated[str, AfterValidator(check_column_pattern)], ...], _AsTuple
]
_Functions = Annotated[tuple[Annotated[str, AfterValidator(check_function)], ...], _AsTuple]


class _Table(BaseModel):
    """What all tables share: unknown keys are fatal, and errors never show what was written."""

    model_config = ConfigDict(
        allow_inf_nan=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        strict=True,
        use_attribute_docstrings=True,
    )


class DatabaseTable(_Table):
    """Where Postgres is, and with what to enter."""

    dsn: Annotated[str, AfterValidator(check_dsn)] = ""
    """The database, as a URI or in libpq's keyword form; several hosts allowed, no password."""
    credential: Annotated[str, AfterValidator(check_credential)] = "keyring"
    """Where the password comes from: `keyring`, `env:NAME`, `file:/path` (mode 600) or `none`."""
    ssl: SslMode = "verify-full"
    """How TLS is checked. Left out, a socket or loopback gets `prefer`."""
    require_replica: bool = False
    """Serve from a replica only."""
    max_replica_lag_seconds: Annotated[float, Field(ge=0, le=86_400)] = 30.0
    """How far a replica may be behind."""
    expect_system_identifier: Annotated[str, Field(pattern=r"^[0-9]{0,20}$")] = ""
    """Bind the profile to one cluster, and to the DSN's database and role in it."""
    allow_overprivileged_role: bool = False
    """Serve with a role that may do more than read."""


class AccessTable(_Table):
    """What may be read. Nothing is readable until it is named here."""

    schemas: _Schemas = ()
    """Schemas that are open, by exact name."""
    relations: _Relations = ()
    """Relations that are open, by exact name, as `schema.relation`."""
    deny_relations: _RelationPatterns = ()
    """Relations that stay closed whatever is open: `schema.relation`, `*` allowed."""
    allow_functions: _Functions = ()
    """Functions of yours or of an extension that may be called, as `schema.function`."""
    allow_functions_with_effects: _Functions = ()
    """Those of `allow_functions` that may be called although they can do more than compute:
    VOLATILE, SECURITY DEFINER, or in C or another language that is not trusted."""
    extensions: Annotated[tuple[Extension, ...], _AsTuple] = ()
    """Extensions whose reviewed functions, types and operators may be used."""
    views_only: bool = False
    """Open views only, and no table."""


class DetectorsTable(_Table):
    """What is masked by the look of a value, wherever it stands."""

    enabled: Annotated[tuple[Detector, ...], _AsTuple] = (
        "payment-card",
        "us-ssn",
        "iban",
        "jwt",
        "private-key",
        "cloud-key",
    )
    """Detectors that go over every text that leaves."""


class MaskTable(_Table):
    """Which columns are masked: `schema.relation.column` patterns, and the kind of each mask."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[
        Annotated[str, AfterValidator(check_column_pattern)],
        Annotated[str, AfterValidator(check_mask_kind)],
    ] = Field(init=False)

    detectors: DetectorsTable = DetectorsTable()

    @property
    def columns(self) -> dict[str, str]:
        """The masks: kinds by column pattern."""
        return dict(self.__pydantic_extra__)


class LimitsTable(_Table):
    """What one call may cost. Every limit has a ceiling; none can be switched off."""

    statement_timeout_seconds: Annotated[float, Field(ge=0.1, le=3_600)] = 30.0
    """How long Postgres may work on one statement."""
    lock_timeout_seconds: Annotated[float, Field(ge=0.1, le=60)] = 2.0
    """How long a statement may wait for a lock."""
    idle_in_transaction_seconds: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    """How long a transaction may stand idle before Postgres ends it."""
    max_rows: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """The most rows of one answer."""
    max_result_bytes: Annotated[int, Field(ge=1_000, le=10_000_000)] = 50_000
    """The most bytes of one answer."""
    max_cell_bytes: Annotated[int, Field(ge=16, le=1_000_000)] = 2_000
    """The most bytes of one cell."""
    max_sql_bytes: Annotated[int, Field(ge=100, le=100_000)] = 50_000
    """The longest statement that is looked at."""
    max_cost: Annotated[float, Field(ge=0)] = 0.0
    """The highest estimated cost that runs; 0 is no cost gate."""
    pool_size: Annotated[int, Field(ge=1, le=64)] = 4
    """The most connections to Postgres."""
    pool_wait_seconds: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    """How long a call may wait for a connection."""


class ApprovalTable(_Table):
    """What a human must agree to first."""

    relations: _RelationPatterns = ()
    """Relations that need a human's word."""
    columns: _ColumnPatterns = ()
    """Columns that need a human's word."""
    cost_above: Annotated[float, Field(ge=0)] = 0.0
    """Estimated cost above which a human is asked; 0 is never."""


class ClientTable(_Table):
    """What one client gets, by its name: less than everybody, never more."""

    access: AccessTable = AccessTable()
    mask: MaskTable = MaskTable(detectors=DetectorsTable(enabled=()))
    limits: LimitsTable = LimitsTable()

    def access_rules(self) -> AccessRules:
        """Hand over what is written here, and nothing of what is for everybody."""
        return _access_rules(self.access, self.mask)


class AuditTable(_Table):
    """Where the trail is kept, and what it holds."""

    directory: Annotated[str, AfterValidator(check_directory)] = ""
    """The trail's directory, by its full path; empty is the user's state directory."""
    record_results: bool = False
    """Keep the masked results too."""
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    """How long the trail is kept."""


class HttpTable(_Table):
    """How `serve --transport http` is reached."""

    host: Annotated[str, AfterValidator(check_host)] = "127.0.0.1"
    """The address to listen on."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 8765
    """The port to listen on."""
    auth: Literal["token", "oidc"] = "token"
    """How callers prove who they are; there is no way to say nobody needs to."""


class Settings(BaseSettings):
    """Everything an operator decides, read once at start and turned into rules and limits."""

    model_config = SettingsConfigDict(
        env_nested_delimiter="__",
        env_prefix="PG_GUARD_",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    profile: Annotated[str, AfterValidator(check_profile)] = "default"
    """The name under which this project's credential, mask key and trail are kept."""
    database: DatabaseTable = DatabaseTable()
    access: AccessTable = AccessTable()
    mask: MaskTable = MaskTable()
    limits: LimitsTable = LimitsTable()
    approval: ApprovalTable = ApprovalTable()
    clients: dict[Annotated[str, AfterValidator(check_client)], ClientTable] = Field(default={})
    """Tables like these for one client, by its name; they only narrow."""
    audit: AuditTable = AuditTable()
    http: HttpTable = HttpTable()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - pydantic-settings names the parameters
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing behind the caller's back: `load_settings` brings all sources together."""
        return (init_settings,)

    def access_rules(self) -> AccessRules:
        """Hand the guard what is open and what is masked."""
        return _access_rules(self.access, self.mask)

    def call_limits(self) -> Limits:
        """Hand every call what it may cost."""
        return Limits(**self.limits.model_dump())


def _access_rules(access: AccessTable, mask: MaskTable) -> AccessRules:
    return AccessRules(
        schemas=access.schemas,
        relations=tuple(Relation(*name.split(".")) for name in access.relations),
        deny_relations=access.deny_relations,
        allow_functions=access.allow_functions,
        allow_functions_with_effects=access.allow_functions_with_effects,
        extensions=access.extensions,
        views_only=access.views_only,
        masks=mask.columns,
        detectors=mask.detectors.enabled,
    )
