"""The first schema: segments, coverage, sources, gaps, quarantine, datasets, dataset_inputs, runs."""

from __future__ import annotations

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SERIES = (("venue", "t"), ("instrument", "t"), ("channel", "t"))
# table: (columns of the key, other columns); t text, n integer, b big integer, f float
TABLES = {
    "segments": (
        (("digest", "t"),),
        (
            ("tape", "t"), ("place", "n"), ("rows", "b"), ("first_ts", "b"), ("last_ts", "b"), ("accepted", "b"),
            ("quarantined", "b"), ("duplicates", "b"), ("other", "b"), ("machine", "t"), ("ingested_ns", "b"),
        ),
    ),
    "coverage": (
        (*SERIES, ("day", "t")),
        (
            ("rows", "b"), ("quarantined", "b"), ("duplicates", "b"), ("first_ts", "b"), ("last_ts", "b"), ("gaps", "b"),
            ("gap_ns", "b"), ("quality", "f"),
        ),
    ),
    "sources": ((*SERIES, ("day", "t"), ("digest", "t")), (("rows", "b"), ("quarantined", "b"), ("duplicates", "b"))),
    "gaps": ((("id", "t"),), (*SERIES, ("start_ns", "b"), ("stop_ns", "b"), ("cause", "t"), ("digest", "t"))),
    "quarantine": (
        (("id", "t"),),
        (
            *SERIES, ("reason", "n"), ("digest", "t"), ("first_at", "n"), ("last_at", "n"), ("rows", "b"), ("first_ts", "b"),
            ("last_ts", "b"), ("state", "t"), ("decided_by", "t"), ("decided_ns", "b"), ("note", "t"), ("example", "t"),
        ),
    ),
    "datasets": (
        (("id", "t"),),
        (
            ("name", "t"), ("folder", "t"), ("rows", "b"), ("first_ts", "b"), ("last_ts", "b"), ("made_ns", "b"), ("state", "t"),
            ("why", "t"),
        ),
    ),
    "dataset_inputs": (
        (("dataset", "t"), ("digest", "t"), ("venue", "t"), ("instrument", "t")), (("first_ts", "b"), ("last_ts", "b")),
    ),
    "runs": ((("id", "t"),), (("command", "t"), ("started_ns", "b"), ("ended_ns", "b"), ("state", "t"), ("details", "t"))),
}  # fmt: skip


def upgrade() -> None:
    """Makes every table, and the indices of what is asked by series."""
    import sqlalchemy as sa
    from alembic import op

    kinds = {"t": sa.Text, "n": sa.Integer, "b": sa.BigInteger, "f": sa.Float}
    for name, (keys, columns) in TABLES.items():
        made = [sa.Column(column, kinds[kind](), nullable=False) for column, kind in (*keys, *columns)]
        op.create_table(name, *made, sa.PrimaryKeyConstraint(*(column for column, _ in keys)))
    op.create_index("quarantine_series", "quarantine", ["venue", "instrument", "first_ts"])
    op.create_index("gaps_series", "gaps", ["venue", "instrument", "start_ns"])


def downgrade() -> None:
    """Takes them away."""
    from alembic import op

    for name in reversed(TABLES):
        op.drop_table(name)
