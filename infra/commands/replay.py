"""`replay`: bring notifications again, safely: a subscription since a time or a snapshot, an execution, one delivery.

A dry run with counts unless --apply. Nothing that was sent is sent again, but with --resend --reason TEXT.
"""

import getpass
import json
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

from sqlalchemy import Connection

from infra.commands.outcome import BadInputError, NothingToDoError, OutOfReachError, instant, parser
from infra.commands.running import database
from infra.local.home import Home
from infra.local.topology import PROJECT
from shared import db, schedule
from shared.errors import InvalidRequest, Unavailable
from shared.operator import replay, seek
from shared.operator.replay import Plan
from shared.operator.replay_request import Asked, checked
from shared.operator.seek import Seeker

PATIENCE = 120.0  # seconds for the count of a month


def main(argv: Sequence[str]) -> int:
    options = _options(argv)
    asked = Asked(
        delivery=options.delivery,
        execution=options.execution,
        since=instant("--since", options.since) if options.since is not None else None,
        until=instant("--until", options.until) if options.until is not None else None,
        channel=options.channel,
        subscription=options.subscription,
        snapshot=options.snapshot,
        resend=options.resend,
        reason=options.reason,
    )
    project = Home(options.home).environment().get("GOOGLE_CLOUD_PROJECT", PROJECT)
    try:
        good = checked(asked, schedule.now(), project)
        with database(options.home) as connection:
            done = _replay(connection, good, apply=options.apply)
    except InvalidRequest as error:
        allowed = f"; allowed: {error.allowed}" if error.allowed is not None else ""
        raise BadInputError(f"--{error.field}: {error}{allowed}") from None
    except Unavailable as error:
        raise OutOfReachError(str(error)) from error
    except KeyboardInterrupt:
        print("broken off; the same command again ends what is left", file=sys.stderr)
        return 130
    if not done.matches:
        raise NothingToDoError("nothing matches")
    if not options.json:
        _tell(done)
    print(json.dumps(done.as_dict()))
    return 0


def _options(argv: Sequence[str]) -> Namespace:
    asked = parser("replay", __doc__)
    asked.add_argument("--since", metavar="T", help="from when on, with its offset; alone: every channel")
    asked.add_argument("--until", metavar="T", help="count to there; what came later is looked at as well")
    asked.add_argument("--channel", metavar="C", help="system, email, wechat or sms")
    asked.add_argument("--subscription", metavar="S", help="such as notify-email")
    asked.add_argument("--snapshot", metavar="NAME", help="instead of a time")
    asked.add_argument("--execution", metavar="ID", type=_uuid, help="announce its unsent deliveries again")
    asked.add_argument("--delivery", metavar="ID", type=int, help="queue one again that is dead or uncertain")
    asked.add_argument("--apply", action="store_true", help="do it; without it only counts are told")
    asked.add_argument("--resend", action="store_true", help="send what was sent once more; needs --reason")
    asked.add_argument("--reason", metavar="TEXT", default="", help="why; goes to the audit log")
    return asked.parse_args(argv)


def _uuid(value: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise ArgumentTypeError(f"{value!r}: the id of an execution is allowed") from None


def _replay(connection: Connection, asked: Asked, *, apply: bool) -> Plan:
    db.set_patience(connection, PATIENCE)
    reached: AbstractContextManager[Seeker | None] = nullcontext()
    if asked.scope == "subscription":
        reached = seek.connected()
    with reached as seeker:
        if apply:
            return replay.apply(connection, asked, seeker, actor=getpass.getuser())
        return replay.plan(connection, asked, seeker)


def _tell(done: Plan) -> None:
    for channel, states in done.counts.items():
        print(f"{channel:<12}{'  '.join(f'{state} {number}' for state, number in states.items())}")
    print(f"looked at again {done.again}, may go out {done.to_send}, sent once more {done.resend}, "
          f"stay as they are {done.unchanged} (already sent {done.already_sent})")  # fmt: skip
    if done.after_until:
        print(f"a seek has no end: {done.after_until} later ones are looked at as well")
    print("done" if done.applied else "nothing was changed; --apply does it")
