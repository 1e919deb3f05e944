"""What the machine believed of each source, by day and segment."""

from __future__ import annotations

from typing import Any

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = ("venue", "instrument", "day", "digest")


def upgrade() -> None:
    """Makes the table of beliefs."""
    import sqlalchemy as sa
    from alembic import op

    kinds: list[tuple[tuple[str, ...], type[sa.types.TypeEngine[Any]]]] = [
        (KEY, sa.Text), (("looks", "doubted"), sa.BigInteger), (("quality", "trust", "least"), sa.Float), (("blame",), sa.Text),
    ]  # fmt: skip
    made = [sa.Column(name, kind(), nullable=False) for names, kind in kinds for name in names]
    op.create_table("beliefs", *made, sa.PrimaryKeyConstraint(*KEY))


def downgrade() -> None:
    """Takes it away."""
    from alembic import op

    op.drop_table("beliefs")
