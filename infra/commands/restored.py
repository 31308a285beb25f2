"""`restored`: say that Postgres came back to an earlier time, before anything starts on it; see and send what is held.

Nothing that may have been sent since then is sent again by itself. DATABASE_URL's database, or the local home's.
"""

import getpass
import json
import os
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from infra.commands.deployed import Deployed, add_identity
from infra.commands.outcome import BadInputError, OutOfReachError, instant, parser
from infra.local.home import Home
from shared import db
from shared.errors import InvalidRequest
from shared.operator import restored


def main(argv: Sequence[str]) -> int:
    asked = parser("restored", __doc__)
    what = asked.add_mutually_exclusive_group()
    what.add_argument("--to", metavar="T", help="the time that Postgres came back to, with its offset")
    what.add_argument("--resend", action="store_true", help="send what is held after all; needs --reason")
    what.add_argument("--end", action="store_true", help="hold nothing more; what is held stays held")
    asked.add_argument("--reason", metavar="TEXT", default="", help="why; goes to the audit log")
    asked.add_argument("--url", help="with --to: through the deployed function `migrate` (Terraform's migrate_uri)")
    add_identity(asked)
    options = asked.parse_args(argv)
    if options.url:
        if not options.to:
            raise BadInputError("--url: is allowed with --to; what is held is seen and sent where the database is")
        function = Deployed(options.url, options.account, options.audience)
        print(json.dumps(function.post("/", {"restored_to": instant("--to", options.to).isoformat()})))
        return 0
    url = os.environ.get("DATABASE_URL") or Home(options.home).environment().get("DATABASE_URL")
    if not url:
        raise BadInputError("DATABASE_URL: must be set, or --home a folder where a local cloud was started")
    to = instant("--to", options.to) if options.to else None
    actor, done = getpass.getuser(), dict[str, Any]()
    engine = db.new_engine(url, socket_timeout=60)
    try:
        with engine.connect() as connection:
            if to:
                done = restored.hold(connection, to, actor=actor, reason=options.reason)
            elif options.resend:
                done = {"resent": restored.resend(connection, actor=actor, reason=options.reason)}
            elif options.end:
                done = {"held": restored.end(connection, actor=actor)}
            else:
                done = {"held": restored.counted(connection)}
    except InvalidRequest as error:
        raise BadInputError(f"--{error.field}: {error}") from None
    except SQLAlchemyError as error:
        if db.is_retryable(error):
            raise OutOfReachError(f"the database does not answer ({type(error).__name__})") from None
        raise
    finally:
        engine.dispose()
    if not options.json:
        for word in ("held", "resent"):
            told = ", ".join(f"{channel} {count}" for channel, count in done.get(word, {}).items())
            if word in done:
                print(f"{word:<8}{told or 'nothing'}")
    print(json.dumps(done))
    return 0
