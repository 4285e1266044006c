"""First tables of the example service."""

import sqlalchemy as sa
from alembic import op

from cinque.storage.audit import create_audit
from cinque.storage.nonces import create_used

revision = "example_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "task",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "note",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("task", sa.Text, sa.ForeignKey("task.id", ondelete="CASCADE"), nullable=False),
    )
    create_audit(op.get_bind())
    create_used(op.get_bind())
