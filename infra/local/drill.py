"""What if Postgres is lost, and the newest backup is an hour old? Lose it, bring it back, and look who is told twice.

A server of its own with its log put away; a factory that tells people; an hour that is forgotten; a second server at
the time before it. The sinks stand for the world: they remember what was sent. Real Postgres recovery, real functions,
real Pub/Sub and SMTP on a clock of the drill's own.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import yaml
from sqlalchemy import TextClause, text

from infra.local import backup
from infra.local.cloud import CRON, DATABASE, Cloud
from infra.local.day import DayClock
from infra.local.home import Home
from infra.local.postgres import Postgres, connection
from infra.local.ticks import Tick
from shared.db import new_engine, set_clock
from shared.operator import restored

ZONE = ZoneInfo("Asia/Shanghai")
JOBS = ("check_overdue_issues", "check_blocking_issues")
SWEEPERS = ("sweep_runs", "sweep_deliveries")
PATIENCE = 120.0
# People work in the forgotten hour: these issues are new, long overdue, and block.
_WORK = text("""
  insert into erp.issues (issue_no, title, issue_type, severity, priority, is_blocking, project_id, assignee_id,
                          reporter_id, due_date, created_at)
  select 'DRILL-' || n, 'raised at the end of the morning ' || n, 'BLOCKER', 'CRITICAL', 'URGENT', true, p.id, p.pm_id,
         p.pm_id, cast(:today as date) - 30, cast(:at as timestamptz) - interval '5 days'
  from (select * from erp.projects where is_active and not is_archived and pm_id is not null order by id limit 3) p
  cross join generate_series(1, 1) g cross join lateral (select 'P' || p.id as n) x
  on conflict (issue_no) do nothing""")
_RUNNING = text("select count(*) from belfry.job_executions where state in ('running', 'pending')")
_UNSENT = text("""
  select (select count(*) from belfry.notification_deliveries where state in ('sending', 'queued')
                                                                and next_attempt_at <= belfry.clock())
       + (select count(*) from belfry.outbox where published_at is null)""")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Result:
    """What the drill saw. Mails are counted where the world's mail server got them; `twice`: the same to the same."""

    sent_before: int
    sent_in_the_lost_hour: int
    forgotten: int  # deliveries that the restored database does not know as sent
    held: int
    sent_after: int
    twice: int
    in_app: int  # messages in the inboxes again
    resent: int  # by --resend
    twice_after_resend: int

    @property
    def good(self) -> bool:
        """Nobody was told twice before an operator said so, and there was something that could have been."""
        return self.twice == 0 and self.forgotten > 0 and self.held > 0 and self.resent > 0

    def as_dict(self) -> dict[str, int | bool]:
        return {**asdict(self), "good": self.good}


class Drill:
    """One drill in an empty folder."""

    def __init__(self, folder: Path, day: datetime, say: Say) -> None:
        self._folder, self._say = folder, say
        self._nine = day.astimezone(ZONE).replace(hour=9, minute=0, second=0, microsecond=0)
        self._clock = DayClock(self._nine - timedelta(minutes=1))
        self._home = Home(folder / "home")
        self._home.folder.mkdir(parents=True)

    async def run(self) -> Result:
        """Raises what went wrong."""
        first = Postgres(self._folder / "first", settings=backup.archiving(self._folder / "log"))
        first.start()
        try:
            first.create_database(DATABASE)
            async with AsyncExitStack() as up:
                cloud = await self._cloud(up, first)
                self._say("a backup of the whole server is taken while it works")
                backup.take(first, self._folder / "backup")
                await self._hour(cloud, self._nine)
                before = await self._mails(cloud)
                self._say(f"09:00  {sum(before.values())} mails were sent; this is the time to come back to")
                to = _moment(first)
                await self._work(cloud)
                await self._hour(cloud, self._nine + timedelta(hours=1))
                lost = await self._mails(cloud) - before
                self._say(f"10:00  {sum(lost.values())} more were sent; nobody will remember this hour")
                known = _sent(cloud)
            backup.put_away(first)
        finally:
            first.stop("immediate")
        self._say("10:10  the server is gone; the backup and its log bring it back to half past nine")
        second = backup.restored(self._folder / "backup", self._folder / "log", self._folder / "second", to)
        try:
            return await self._afterwards(second, before, lost, known)
        finally:
            second.stop("immediate")

    async def _afterwards(self, second: Postgres, before: Counter[str], lost: Counter[str], known: int) -> Result:
        half_past, ten_past = self._nine + timedelta(minutes=30), self._nine + timedelta(minutes=70)
        self._clock.at = ten_past
        engine = new_engine(second.url(DATABASE), socket_timeout=60)
        with engine.connect() as db:
            set_clock(db, ten_past)
            told = restored.hold(db, half_past, actor="drill", reason="a drill")
            self._say(f"restored --to {half_past:%H:%M}: {len(told['jobs'])} jobs rang in the forgotten time")
            async with AsyncExitStack() as up:
                cloud = await self._cloud(up, second)
                forgotten = known - _sent(cloud)
                self._say(f"{forgotten} deliveries that were made are not known any more")
                await self._work(cloud)  # people enter again what was lost
                await self._sweep(cloud, ten_past)
                await self._hour(cloud, self._nine + timedelta(hours=2))
                after = await self._mails(cloud) - before - lost
                everything = before + lost + after
                held = sum(restored.counted(db).values())
                sent = sum(after.values())
                self._say(f"11:00  forgotten ticks ran again; {held} deliveries are held, {sent} mails sent")
                in_app = int(db.execute(text("""select count(*) from belfry.notification_deliveries
                    where channel = 'system' and state in ('sent', 'delivered') and sent_at >= :at"""),
                    {"at": ten_past}).scalar_one())  # fmt: skip
                resent = sum(restored.resend(db, actor="drill", reason="a drill").values())
                await self._sweep(cloud, self._nine + timedelta(hours=2, minutes=1))
                again = await self._mails(cloud)
                self._say(
                    f"restored --resend: {sum(again.values()) - sum(everything.values())} mails went out once more"
                )
        engine.dispose()
        return Result(sum(before.values()), sum(lost.values()), forgotten, held, sum(after.values()),
                      _twice(everything), in_app, resent, _twice(again))  # fmt: skip

    async def _cloud(self, up: AsyncExitStack, server: Postgres) -> Cloud:
        cloud = Cloud(self._home, day=self._nine.date(), clock=self._clock, cron=self._cron(), fast=True,
                      real={"DATABASE_URL": server.url(DATABASE)})  # fmt: skip
        await cloud.start()
        up.push_async_callback(cloud.stop)
        return cloud

    def _cron(self) -> Path:
        """The shipped file with a few jobs only."""
        content = yaml.safe_load(CRON.read_text("utf-8"))
        content["jobs"] = {job: content["jobs"][job] for job in (*JOBS, *SWEEPERS)}
        path = self._folder / "cron.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
        return path

    async def _hour(self, cloud: Cloud, at: datetime) -> None:
        """The jobs ring, and what they tell is sent."""
        self._clock.at = at
        await asyncio.gather(*(cloud.poster.post(Tick(at, job), at) for job in JOBS))
        await self._sweep(cloud, at)

    async def _sweep(self, cloud: Cloud, at: datetime) -> None:
        self._clock.at = at
        for sweeper, left in zip(SWEEPERS, (_RUNNING, _UNSENT), strict=True):
            await cloud.poster.post(Tick(at, sweeper), at)
            await self._none(cloud, left)

    async def _none(self, cloud: Cloud, left: TextClause) -> None:
        """Waits until nothing is left."""
        until = asyncio.get_running_loop().time() + PATIENCE
        with cloud.engine.connect() as db:
            set_clock(db, self._clock.at)
            while number := db.execute(left).scalar_one():
                if asyncio.get_running_loop().time() > until:
                    raise TimeoutError(f"at {self._clock.at.astimezone(ZONE):%H:%M} {number} did not come to an end")
                await asyncio.sleep(0.1)

    async def _work(self, cloud: Cloud) -> None:
        with cloud.engine.connect() as db:
            db.execute(_WORK, {"today": self._nine.date(), "at": self._nine})

    async def _mails(self, cloud: Cloud) -> Counter[str]:
        """What the world got: person and subject, and how often."""
        async with aiohttp.ClientSession() as http, http.get(f"{cloud.url}/sinks/email") as answer:
            content = await answer.json()
        return Counter(f"{message['to']} {message['subject']}" for message in content["messages"])


def _moment(server: Postgres) -> datetime:
    """A time after everything that is committed and before everything that will be."""
    with connection(server.url("postgres")) as db:
        db.run("select pg_sleep(0.2)")
        ((now,),) = db.run("select clock_timestamp()")
        db.run("select pg_sleep(0.2)")
    assert isinstance(now, datetime)
    return now


def _sent(cloud: Cloud) -> int:
    with cloud.engine.connect() as db:
        query = "select count(*) from belfry.notification_deliveries where channel = 'email' and state = 'sent'"
        return int(db.execute(text(query)).scalar_one())


def _twice(mails: Counter[str]) -> int:
    return sum(count - 1 for count in mails.values() if count > 1)
