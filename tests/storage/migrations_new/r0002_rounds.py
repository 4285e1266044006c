"""Tasks count their rounds; on SQLite the table is rebuilt under rows that point to it."""

import sqlalchemy as sa
from alembic import op

revision = "example_0002"
down_revision = "example_0001"


def upgrade() -> None:
    with op.batch_alter_table("task", recreate="auto") as batch:
        batch.add_column(sa.Column("round", sa.Integer, nullable=False, server_default="0"))
        batch.alter_column("state", type_=sa.String(40))
