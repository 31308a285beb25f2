"""How Alembic reaches the database: the URL comes from the caller, every migration runs in one transaction."""

import time

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared.db import sqlalchemy_url, sqlstate

TRIES, PAUSE = 40, 1.0  # seconds between two tries, for the triggers that queued behind the one before


def migrate() -> None:
    engine = create_engine(sqlalchemy_url(context.config.attributes["database_url"]), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(
            text("set lock_timeout = '3s'")
        )  # a waiting DDL statement would queue every trigger behind it
        context.configure(connection=connection, version_table="belfry_schema_version", version_table_schema="public")
        with context.begin_transaction():
            context.run_migrations()


for tried in range(1, TRIES + 1):
    try:
        migrate()
        break
    except DBAPIError as error:
        if sqlstate(error) != "55P03" or tried == TRIES:
            raise
        time.sleep(PAUSE)
