"""`migrate`: bring a database to the newest schema; only forward, and the same again changes nothing.

DATABASE_URL's, the local home's, or with --url that of a deployed cloud, through its function `migrate`.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from infra.commands.deployed import Deployed, add_identity
from infra.commands.outcome import BadInputError, OutOfReachError, parser
from infra.local.home import Home
from shared import db
from shared.errors import InvalidRequest
from shared.operator import migrating


def main(argv: Sequence[str]) -> int:
    asked = parser("migrate", __doc__)
    asked.add_argument("--url", help="the deployed function's address: Terraform's output migrate_uri")
    asked.add_argument("--to", metavar="REVISION", help="not the newest but this one; never back")
    add_identity(asked)
    options = asked.parse_args(argv)
    if options.url:
        body = {"to": options.to} if options.to else {}
        done = Deployed(options.url, options.account, options.audience).post("/", body)
    else:
        url = os.environ.get("DATABASE_URL") or Home(options.home).environment().get("DATABASE_URL")
        if not url:
            raise BadInputError("DATABASE_URL: must be set, or --home a folder where a local cloud was started")
        done = _here(url, options.to)
    if not options.json:
        words = (
            "the database is newer than this code, which is allowed" if done["newer"] else ", ".join(done["applied"])
        )
        print(f"{done['from'] or 'nothing'} -> {done['to']}: {words or 'nothing to do'}")
    print(json.dumps(done))
    return 0


def _here(url: str, to: str | None) -> dict[str, Any]:
    try:
        done = migrating.migrate(url, to)
        migrating.grant(url)
    except InvalidRequest as error:
        raise BadInputError(f"--{error.field}: {error}; allowed: {error.allowed}") from None
    except SQLAlchemyError as error:
        if db.is_retryable(error):
            raise OutOfReachError(f"the database does not answer ({type(error).__name__})") from None
        raise
    return done.as_dict()
