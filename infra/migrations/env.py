"""How Alembic reaches the database: the URL comes from the caller, every migration runs in one transaction."""

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from shared.db import sqlalchemy_url

engine = create_engine(sqlalchemy_url(context.config.attributes["database_url"]), poolclass=NullPool)
with engine.begin() as connection:
    connection.execute(text("set lock_timeout = '3s'"))  # a waiting DDL statement would queue every trigger behind it
    context.configure(connection=connection, version_table="belfry_schema_version", version_table_schema="public")
    with context.begin_transaction():
        context.run_migrations()
