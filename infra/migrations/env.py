"""How Alembic reaches the database: the URL comes from the caller, all migrations run in one transaction, one caller
after the other.
"""

import time

from alembic import context
from sqlalchemy import create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from shared import wire
from shared.db import sqlalchemy_url, sqlstate

TRIES, PAUSE = 40, 1.0  # seconds between two tries, for the triggers that queued behind the one before
SILENCE = 600.0  # seconds without an answer


def migrate() -> None:
    url = sqlalchemy_url(context.config.attributes["database_url"])
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": SILENCE})
    event.listen(engine, "do_connect", lambda dialect, record, args, settings: wire.connect(**settings))
    with engine.begin() as connection:
        connection.execute(
            text("set lock_timeout = '3s'")
        )  # a waiting DDL statement would queue every trigger behind it
        connection.execute(text("select pg_advisory_xact_lock(hashtext('belfry.migrate'))"))  # two go one by one
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
