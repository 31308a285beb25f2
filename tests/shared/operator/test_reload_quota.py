"""Cloud Scheduler takes 500 writes a minute: five hundred jobs are registered within that, and every one is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from google.cloud.scheduler_v1 import CloudSchedulerClient
from google.cloud.scheduler_v1.services.cloud_scheduler.transports import CloudSchedulerGrpcTransport
from sqlalchemy import Connection, text

from infra.local.scheduler import Quota
from shared.errors import Unavailable
from shared.operator import reload
from shared.pace import Pace
from shared.scheduler_api import QUOTA_WAITS, READS, WRITES, SchedulerApi
from tests.scheduling import Scheduler, file, running

SIZE = 500


@contextmanager
def connected(scheduler: Scheduler, *, writes: int = WRITES) -> Iterator[SchedulerApi]:
    """Belfry's client, waiting by the scheduler's own clock."""
    paces = [Pace(calls, clock=scheduler.seconds, wait=scheduler.sleep) for calls in (writes, READS)]
    with grpc.insecure_channel(scheduler.address) as channel:
        client = CloudSchedulerClient(transport=CloudSchedulerGrpcTransport(channel=channel))
        yield SchedulerApi(client, "belfry-local", "local", owns_targets=True, writes=paces[0], reads=paces[1])


def test_five_hundred_jobs_keep_within_five_hundred_writes_a_minute(db: Connection, tmp_path: Path) -> None:
    said = file(tmp_path, **{f"bell_{n}": 'schedule: "0 9 * * *"\nenabled: false' for n in range(SIZE)})
    told: list[tuple[int, int, str]] = []
    quota = Quota()
    with running(quota) as scheduler, connected(scheduler) as api:
        began = scheduler.seconds()
        made = reload.apply(db, said, api, progress=lambda *step: told.append(step))
        took, live = scheduler.seconds() - began, api.all()
        assert len(made.added) == len(live) == SIZE  # created, and paused: two writes each
        assert all(ring.paused for ring in live.values())
        assert quota.refused == 0
        assert WRITES <= quota.most["writes"] <= 500
        assert 60 <= took <= 180
        assert [done for done, of, _ in told] == list(range(1, SIZE + 1))
        assert {of for _, of, _ in told} == {SIZE}
        again = scheduler.seconds()
        assert reload.apply(db, said, api).empty
        assert scheduler.seconds() == again  # what is as it should be costs no write


def test_a_quota_that_others_used_up_is_waited_for(db: Connection, tmp_path: Path) -> None:
    said = file(tmp_path, **{f"bell_{n}": 'schedule: "0 9 * * *"' for n in range(40)})
    quota = Quota(writes=15)
    with running(quota) as scheduler, connected(scheduler) as api:
        reload.apply(db, said, api)
        assert len(api.all()) == 40
        assert quota.refused > 0
        assert set(scheduler.slept) <= set(QUOTA_WAITS)


def test_a_quota_that_never_comes_back_ends_the_reload_and_the_next_one_does_the_rest(
    db: Connection, tmp_path: Path
) -> None:
    said = file(tmp_path, **{f"bell_{n}": 'schedule: "0 9 * * *"' for n in range(5)})
    quota = Quota(writes=3)
    with running(quota) as scheduler, connected(scheduler) as api:
        api._writes._wait = lambda seconds: None  # nobody's minute passes
        with pytest.raises(Unavailable, match="quota"):
            reload.apply(db, said, api)
        assert len(api.all()) == 3
        quota.writes = 500
        made = reload.apply(db, said, api)
        assert sorted(set(change.live) == {"job"} for change in made.updated) == [True, True]
        assert len(api.all()) == 5
        assert db.execute(text("select count(*) from belfry.jobs where version > 1")).scalar_one() == 0


def test_no_window_of_a_minute_holds_more_calls_than_allowed() -> None:
    now, calls = [0.0], list[float]()

    def wait(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(5, clock=lambda: now[0], wait=wait)
    for _ in range(23):
        pace.take()
        calls.append(now[0])
        now[0] += 1.0
    for start in calls:
        assert len([at for at in calls if start <= at < start + 60]) <= 5
    assert calls[5] == 60.0


@pytest.mark.skipif(not os.environ.get("BELFRY_FULL_SWEEP"), reason="the whole of five thousand takes a minute")
def test_five_thousand_jobs_are_listed_page_by_page(db: Connection, tmp_path: Path) -> None:
    said = file(tmp_path, **{f"bell_{n}": 'schedule: "0 9 * * *"' for n in range(5000)})
    with running(Quota()) as scheduler, connected(scheduler) as api:
        reload.apply(db, said, api)
        assert len(api.all()) == 5000
        assert reload.plan(db, said, api).empty
