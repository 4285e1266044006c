"""A revision that fails half way."""

import sqlalchemy as sa
from alembic import op

revision = "example_0002"
down_revision = "example_0001"


def upgrade() -> None:
    op.create_table("extra", sa.Column("id", sa.Text, primary_key=True))
    op.execute("INSERT INTO nowhere VALUES (1)")
