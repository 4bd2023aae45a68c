"""A statement's kind in, the finding that refuses it out: everything that is not a read.

An allow-list of one: `SelectStmt` (SELECT, VALUES, TABLE) passes, every other root node of
Postgres's grammar is refused, those we know by name with words of their own.
"""

from __future__ import annotations

from pg_guard_mcp.model import Finding

DATA_CHANGES = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})

_RULES = {
    "ClosePortalStmt": "no-session-state",
    "ClusterStmt": "no-ddl",
    "CallStmt": "no-procedures",
    "CheckPointStmt": "no-ddl",
    "CommentStmt": "no-ddl",
    "CopyStmt": "no-copy",
    "DeallocateStmt": "no-session-state",
    "DeclareCursorStmt": "no-session-state",
    "DeleteStmt": "read-only",
    "DiscardStmt": "no-session-state",
    "DoStmt": "no-procedures",
    "ExecuteStmt": "no-session-state",
    "ExplainStmt": "no-explain",
    "FetchStmt": "no-session-state",
    "GrantRoleStmt": "no-ddl",
    "GrantStmt": "no-ddl",
    "InsertStmt": "read-only",
    "ListenStmt": "no-session-state",
    "LoadStmt": "no-ddl",
    "LockStmt": "no-row-locks",
    "MergeStmt": "read-only",
    "NotifyStmt": "no-session-state",
    "PrepareStmt": "no-session-state",
    "RefreshMatViewStmt": "no-ddl",
    "ReindexStmt": "no-ddl",
    "RenameStmt": "no-ddl",
    "RuleStmt": "no-ddl",
    "TransactionStmt": "no-transaction-control",
    "TruncateStmt": "no-truncate",
    "UnlistenStmt": "no-session-state",
    "UpdateStmt": "read-only",
    "VacuumStmt": "no-ddl",
    "VariableSetStmt": "no-session-state",
    "VariableShowStmt": "no-session-state",
    "ViewStmt": "no-ddl",
}
_VERBS = {
    "Create": "CREATE TABLE",
    "Index": "CREATE INDEX",
    "Refresh Mat View": "REFRESH MATERIALIZED VIEW",
    "Do": "DO",
    "Transaction": "transaction control",
    "Variable Set": "SET",
    "Variable Show": "SHOW",
    "View": "CREATE VIEW",
}
_FAMILIES = ("Alter", "Create", "Define", "Drop", "Import", "Index", "Reassign", "SecLabel")
_HINTS = {
    "no-copy": "SELECT the rows instead; query answers in COPY text format.",
    "no-ddl": "This server only reads. list_schemas and describe_view show what is there.",
    "no-explain": "Call the explain tool with the statement alone.",
    "no-procedures": "Write the question as one SELECT.",
    "no-row-locks": "Reads take no locks here; leave it out.",
    "no-session-state": "Nothing is kept between calls. Write the question as one SELECT.",
    "no-transaction-control": "Each call has a read-only transaction of its own; leave it out.",
    "no-truncate": "This server only reads; no tool of it removes rows.",
    "read-only": "This server only reads. SELECT the rows you would change instead.",
}

INTO = Finding(
    rule="no-select-into",
    message="SELECT INTO creates a table",
    hint="Leave INTO out; query answers with the rows.",
)
LOCK = Finding(
    rule="no-row-locks",
    message="row locks are not available",
    hint="Leave out FOR UPDATE, FOR SHARE and their kin.",
)
ENTITIES = Finding(
    rule="no-server-files",
    message="an XML document that defines entities is not available: they can name files",
    hint="Leave the DOCTYPE out of the document.",
)
OTHER_DATABASE = Finding(
    rule="allowed-relations",
    message="a relation is named with its database",
    hint="Name relations as schema.name; this server reads one database.",
)


def root(kind: str) -> Finding:
    """Refuse a statement whose root node is `kind`, in words that fit it."""
    rule = _RULES.get(kind) or ("no-ddl" if kind.startswith(_FAMILIES) else "read-only")
    return Finding(
        rule=rule, message=f"{verb(kind)} is not available", hint=_HINTS.get(rule, _HINTS["no-ddl"])
    )


def data_change(kind: str) -> Finding:
    """Refuse a CTE that changes data."""
    return Finding(
        rule="no-data-modifying-cte",
        message=f"{verb(kind)} inside WITH changes data",
        hint="Use SELECT in every WITH query.",
    )


def count(statements: int) -> Finding:
    """Refuse anything but one statement."""
    if statements == 0:
        return Finding(
            rule="one-statement", message="there is no statement", hint="Send one SELECT."
        )
    return Finding(
        rule="one-statement",
        message=f"there are {statements} statements",
        hint="Send one statement a call, and no transaction control.",
    )


def verb(kind: str) -> str:
    """Name a root node as a person would: `CreateTableAsStmt` is CREATE TABLE AS."""
    words = "".join(
        f" {letter}" if letter.isupper() else letter for letter in kind.removesuffix("Stmt")
    )
    words = words.strip()
    return _VERBS.get(words) or words.upper().replace("CREATE AS", "CREATE")
