"""What if the laptop slept? Then nothing was missed: the sweep starts anew from now, and one audit row says so."""

import asyncio
import time
from datetime import timedelta

from sqlalchemy import Engine, text

LOOK = 20.0  # seconds between two looks
LONG = timedelta(minutes=5)  # shorter gaps are caught up as in the cloud

_MOVE = text("""
  with late as (
    select job_id, swept_through from belfry.jobs
    where swept_through < clock_timestamp() - cast(:long as interval)
    for update
  ), moved as (
    update belfry.jobs j set swept_through = clock_timestamp() from late where j.job_id = late.job_id
    returning late.swept_through as before
  )
  insert into belfry.audit_log (at, actor, action, before, after, reason)
  select clock_timestamp(), 'local-cloud', 'sweep_mark_moved', jsonb_build_object('swept_through', min(before)),
         jsonb_build_object('swept_through', clock_timestamp(), 'jobs', count(*)), 'this machine was off or asleep'
  from moved having count(*) > 0""")


def forgive(engine: Engine) -> None:
    """Move the sweep mark of every job that was not swept for five minutes to now."""
    with engine.connect() as connection:
        connection.execute(_MOVE, {"long": f"{LONG.total_seconds()} seconds"})


async def watch_for_sleep(engine: Engine) -> None:
    """The wall clock runs on while a machine sleeps, the monotonic one stands still."""
    apart = time.time() - time.monotonic()
    while True:
        await asyncio.sleep(LOOK)
        now_apart = time.time() - time.monotonic()
        if now_apart - apart > LONG.total_seconds():
            await asyncio.to_thread(forgive, engine)
        apart = now_apart
