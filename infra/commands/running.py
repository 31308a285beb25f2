"""How does a command reach the local cloud that is up? Through the settings that its home keeps, as any program may."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from infra.commands.outcome import OutOfReachError
from infra.local.home import Home
from shared import config, db


@contextmanager
def database(folder: Path) -> Iterator[Connection]:
    """A connection to the running home's database; its other settings are this process's from now on.

    Raises OutOfReachError when no local cloud was started there or none answers.
    """
    found = Home(folder).environment()
    if not found:
        raise OutOfReachError(f"--home {folder}: no local cloud was ever started there; `make run` starts one")
    os.environ.update(found)
    config.config.cache_clear()
    db.forget_engine()
    try:
        with db.connect() as connection:
            yield connection
    except SQLAlchemyError as error:
        if db.is_retryable(error):
            raise OutOfReachError(f"the database does not answer ({type(error).__name__}); is the cloud up?") from error
        raise
