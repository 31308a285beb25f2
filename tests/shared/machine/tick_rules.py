"""What can happen to a tick: it comes, twice, late or never; its run ends, dies, freezes or is taken over; people interfere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from shared import executions, kicks
from shared.db import rollback, sqlstate
from shared.entrance.trigger import Trigger
from shared.errors import LeaseLost
from shared.fan_out import fan_out_waiting
from shared.jobs import _tick
from shared.ledger import dependents, expected
from shared.operator import operations
from tests.shared.machine import claims
from tests.shared.machine.model import Model
from tests.shared.machine.world import GRIDS, MINUTE, OPEN, TERMINAL, Busy, Job, Revision

LEASE = 60.0
WHICH = st.integers(0, 5)
NAMES = st.sampled_from(["first", "second", "third"])
SCHEDULES = st.sampled_from(list(GRIDS))
OVERLAPS = st.sampled_from(["skip", "buffer_one", "allow"])
CATCHUPS = st.sampled_from(["none", "last", "all"])

_EFFECT = text("""
  with e as (insert into public.effects (job_id, run_at, execution_id, asked) values (:job, :run_at, cast(:id as uuid), :asked) returning id)
  insert into belfry.outbox (topic, payload, execution_id) select 'effects', jsonb_build_object('effect', e.id), cast(:id as uuid) from e""")
_TELL = text("""
  insert into belfry.notifications (dedupe_key, type, severity, recipients, not_after, execution_id)
  values (:key, 'TEST', :severity, cast(:recipients as text[]), belfry.clock() + interval '24 hours', cast(:id as uuid))""")
_EXPIRE = text(
    "update belfry.job_executions set lease_until = clock_timestamp() - interval '1 second' where id = cast(:id as uuid) and fence = :fence and state = 'running'"
)
_ALL_EXPIRE = text(
    "update belfry.job_executions set lease_until = clock_timestamp() - interval '1 second' where state = 'running'"
)
_PRUNE = text("""
  with j as (update belfry.jobs set pruned_through = least(swept_through, cast(:until as timestamptz))
             where least(swept_through, cast(:until as timestamptz)) > pruned_through returning job_id, pruned_through)
  delete from belfry.job_executions e using j
  where e.job_id = j.job_id and e.run_at <= j.pruned_through and e.state in ('succeeded', 'partial', 'failed', 'lost', 'missed', 'skipped', 'cancelled')""")


@dataclass
class Post:
    """A request on its way to a function."""

    job_id: str
    at: datetime
    kind: str = "scheduled"
    execution_id: UUID | None = None


@dataclass
class Worker:
    """Somebody who was told to run, and what he holds."""

    job_id: str
    execution_id: UUID
    run_at: datetime
    fence: int
    attempt: int
    max_attempts: int
    asked: bool  # a person wanted this run beside the tick's own


class TickRules(Model):
    """Rules over belfry.claim, heartbeat, finish and reap, over the sweep of ticks, and over what operators do."""

    tells = False  # whether a good run of the first job has something to tell

    def begin(self) -> None:
        super().begin()
        self.posts: list[Post] = []
        self.workers: list[Worker] = []
        self.open: Worker | None = None
        self.enabled = True

    @initialize(
        overlap=st.tuples(OVERLAPS, OVERLAPS, OVERLAPS), catchup=st.tuples(CATCHUPS, CATCHUPS),
        schedule=st.tuples(SCHEDULES, SCHEDULES), attempts=st.tuples(*[st.integers(1, 3)] * 3),
        over=st.sampled_from(["run", "skip"]), priority=st.sampled_from(["normal", "high"]),
    )  # fmt: skip
    def there_are_jobs(
        self, overlap: Any, catchup: Any, schedule: Any, attempts: Any, over: str, priority: str
    ) -> None:
        """A job, one that waits for it every day, and one that it fires."""
        now = self.world.now
        first = Job("first", overlap[0], [Revision(now, schedule[0])], catchup[0], priority=priority)
        second = Job(
            "second", overlap[1], [Revision(now, schedule[1])], catchup[1], upstream="first", on_wait_over=over
        )
        third = Job("third", overlap[2], [Revision(now, None)], upstream="first")
        for job, most in zip((first, second, third), attempts, strict=True):
            self.world.add(job, max_attempts=most)

    def check(self) -> None:
        """What a pause slept through stays skipped."""
        super().check()
        for job in self.world.jobs.values():
            for since, until in job.rests:
                for row in self.world.of(job.job_id):
                    if row.kind in ("scheduled", "catchup") and row.parent_id is None and since < row.run_at <= until:
                        assert row.state == "skipped", f"{row} fell into a pause"

    # ------------------------------------------------------------------------------------------- coming to rest
    def let_go(self) -> None:
        super().let_go()
        if self.world.holding:
            self._end_open(commits=False)
        self.posts, self.workers = [], []

    def sweep_all(self) -> None:
        super().sweep_all()
        self.world.db.execute(_ALL_EXPIRE)
        self.the_sweep_of_runs(upto=3)

    def work_off(self) -> None:
        posts, self.posts = self.posts, []
        for post in posts:
            self._post(post)
            self._all_succeed()
        super().work_off()

    # ------------------------------------------------------------------------------------------- helpers
    @contextmanager
    def _unless_busy(self) -> Iterator[None]:
        """What met the lock of the open transaction answers 503, and nothing has changed."""
        try:
            yield
        except Busy:
            pass
        except DBAPIError as error:
            if not self.world.holding or sqlstate(error) != "55P03":
                raise

    def time_goes_by(self, span: timedelta) -> None:
        """Time goes by: Cloud Scheduler rings for every job that it has not paused."""
        before, now = self.world.now, self.world.now + span
        super().time_goes_by(span)
        for job in self.world.jobs.values():
            if job.enabled and not (job.paused and job.paused_until is None):
                self.posts += [Post(job.job_id, tick) for tick in job.due(before, now)]

    def _post(self, post: Post, *, answer_lost: bool = False) -> None:
        """What the entrance does: find out which tick is meant, claim it, and start when told to.

        `answer_lost`: the claim committed and nobody heard of it, so it is asked once more by the same owner.
        """
        world, job = self.world, self.world.jobs[post.job_id]
        row = executions.read_job(world.db, post.job_id)
        assert row is not None
        asked = Trigger(post.job_id, post.at, world.now, kind=post.kind, execution_id=post.execution_id)
        kind, run_at = _tick(world.db, asked, row)
        decision, reason = claims.expected(world, job, kind, run_at, post.execution_id, enabled=self.enabled)
        before = world.columns[post.job_id].fence
        owner = str(self.world.new_id())
        claim = executions.claim(
            world.db, post.job_id, run_at, kind, lease=LEASE, owner=owner, execution_id=post.execution_id
        )
        if answer_lost and claim.decision == "run":
            again = executions.claim(
                world.db, post.job_id, run_at, kind, lease=LEASE, owner=owner, execution_id=post.execution_id
            )
            assert again == claim
        assert claim.decision == decision, (post, claim, decision)
        if reason is not None:
            assert claim.reason == reason, (post, claim, reason)
        if claim.decision == "run":
            assert claim.fence == before + 1
            found = world.rows.get(claim.execution_id)
            by_person = claim.kind == "manual" and post.kind != "scheduled"
            # Who fills a range that is older than the ledger's memory asks for its ticks once more.
            by_person |= claim.kind == "backfill" and claim.run_at <= world.columns[post.job_id].pruned_through
            rerun = found is not None and found.parent_id is not None
            limit = found.max_attempts if found else row.max_attempts
            self.workers.append(
                Worker(
                    post.job_id, claim.execution_id, claim.run_at, claim.fence, claim.attempt, limit, by_person or rerun
                )
            )

    def _holds(self, worker: Worker) -> bool:
        row = self.world.rows.get(worker.execution_id)
        return row is not None and row.state == "running" and row.fence == worker.fence

    def _write(self, db: Connection, worker: Worker) -> None:
        """The effect of a good run, inside the caller's transaction."""
        asked = {"job": worker.job_id, "run_at": worker.run_at, "id": str(worker.execution_id)}
        db.execute(_EFFECT, {**asked, "asked": worker.asked})
        if self.tells and worker.job_id == "first":
            told = {"key": f"{worker.execution_id}", "severity": "CRITICAL", "id": str(worker.execution_id),
                    "recipients": [f"USER:{user}" for user in self.users]}  # fmt: skip
            db.execute(_TELL, told)
            fan_out_waiting(db)

    def _fail(self, worker: Worker, reason: str) -> None:
        again = worker.attempt < worker.max_attempts and reason != "operator"
        state = "retry_wait" if again else "cancelled" if reason == "operator" else "failed"
        ended = executions.finish(
            self.world.db, worker.execution_id, worker.fence, state, reason=reason, retry_in=60 if again else None
        )
        assert (ended is not None) == self._holds(worker), worker

    def _succeed(self, worker: Worker, state: str = "succeeded") -> None:
        db = self.world.db
        db.exec_driver_sql("begin")
        try:
            self._write(db, worker)
            executions.commit(db, worker.execution_id, worker.fence, state, counters={}, elapsed_ms=1)
        except LeaseLost:
            rollback(db)
            assert not self._holds(worker), worker
            return
        except BaseException:
            rollback(db)
            raise
        assert self._holds(worker), worker
        assert executions.read_back(db, worker.execution_id, worker.fence) == state

    def _lose_lease(self, worker: Worker) -> None:
        self.world.db.execute(_EXPIRE, {"id": str(worker.execution_id), "fence": worker.fence})

    # ------------------------------------------------------------------------------------------- time and triggers
    @rule(minutes=st.sampled_from([1, 5, 6, 30, 31, 61, 180]))
    def time_passes(self, minutes: int) -> None:
        self.time_goes_by(minutes * MINUTE)

    @rule(job=NAMES, kept=st.booleans())
    def the_next_tick_comes(self, job: str, kept: bool) -> None:
        """On time; `kept`: it will come once more."""
        now = self.world.now
        due = next(self.world.jobs[job].due(now, now + timedelta(hours=3)), None)
        if due is None:
            self.time_goes_by(MINUTE)
            return
        self.time_goes_by(due - now + timedelta(seconds=2))
        for post in [post for post in self.posts if post.at == due]:
            if not kept:
                self.posts.remove(post)
            with self._unless_busy():
                self._post(post)
            self.world.picture()

    @precondition(lambda self: self.posts)
    @rule(which=WHICH, kept=st.booleans(), answer_lost=st.booleans())
    def a_post_arrives(self, which: int, kept: bool, answer_lost: bool) -> None:
        """The latest first; `kept`: it will come once more."""
        place = len(self.posts) - 1 - which % len(self.posts)
        post = self.posts[place] if kept else self.posts.pop(place)
        with self._unless_busy():
            self._post(post, answer_lost=answer_lost)

    @precondition(lambda self: self.posts)
    @rule()
    def all_posts_arrive(self) -> None:
        posts, self.posts = self.posts, []
        for post in posts:
            with self._unless_busy():
                self._post(post)
            self.world.picture()

    @precondition(lambda self: self.posts)
    @rule()
    def all_posts_are_lost(self) -> None:
        self.posts = []

    # ------------------------------------------------------------------------------------------- runs
    @precondition(lambda self: self.workers)
    @rule(which=WHICH, state=st.sampled_from(["succeeded", "succeeded", "partial"]))
    def a_run_succeeds(self, which: int, state: str) -> None:
        worker = self.workers.pop(which % len(self.workers))
        with self._unless_busy():
            self._succeed(worker, state)

    @precondition(lambda self: self.workers)
    @rule()
    def all_runs_succeed(self) -> None:
        self._all_succeed()

    def _all_succeed(self) -> None:
        workers, self.workers = self.workers, []
        for worker in workers:
            self.world.picture()
            with self._unless_busy():
                self._succeed(worker)
        self.world.picture()

    @precondition(lambda self: self.workers)
    @rule(which=WHICH, what=st.sampled_from(["beats", "error", "timeout", "operator", "dies", "freezes"]))
    def something_happens_to_a_run(self, which: int, what: str) -> None:
        """One that freezes loses its lease and will go on as if nothing had been."""
        worker = self.workers[which % len(self.workers)]
        if what not in ("beats", "freezes"):
            self.workers.remove(worker)
        with self._unless_busy():
            if what == "beats":
                self._beat(worker)
            elif what in ("dies", "freezes"):
                self._lose_lease(worker)
            else:
                self._fail(worker, what)

    def _beat(self, worker: Worker) -> None:
        row = self.world.rows.get(worker.execution_id)
        held, cancelled = executions.heartbeat(self.world.db, worker.execution_id, worker.fence, LEASE)
        assert held == (self._holds(worker) and not row.expired)
        assert cancelled == (held and row.stopping)

    @precondition(lambda self: self.workers and not self.world.holding)
    @rule(which=WHICH, state=st.sampled_from(["succeeded", "retry_wait"]))
    def a_run_is_about_to_commit(self, which: int, state: str) -> None:
        """Its last statement is done and its locks are held; whether it commits is open."""
        worker = self.workers.pop(which % len(self.workers))
        other = self.world.other
        other.exec_driver_sql("begin")
        if state == "succeeded":
            self._write(other, worker)
        retry_in = 60 if state == "retry_wait" else None
        ended = executions.finish(other, worker.execution_id, worker.fence, state, retry_in=retry_in)
        assert (ended is not None) == self._holds(worker), worker
        if ended is None:
            rollback(other)
            return
        self.world.held, self.open = worker.execution_id, worker

    @precondition(lambda self: self.world.holding)
    @rule(commits=st.booleans())
    def the_open_commit_ends(self, commits: bool) -> None:
        self._end_open(commits)

    def _end_open(self, commits: bool) -> None:
        assert self.open is not None
        self.world.other.exec_driver_sql("commit" if commits else "rollback")
        self.world.held = None
        if not commits:
            self._lose_lease(self.open)
        self.open = None
        self.world.set_clock(self.world.now)

    # ------------------------------------------------------------------------------------------- the sweep
    @rule(upto=st.integers(1, 3))
    def the_sweep_of_runs(self, upto: int) -> None:
        """Its steps in their order; it may die after each."""
        with self._unless_busy(), self.world.transaction() as db:
            executions.reap(db)
        if upto > 1:
            self._expect()
        if upto > 2:
            self._kick()

    @rule(minutes=st.sampled_from([0, 2, 11]))
    def minutes_are_swept_and_what_is_due_starts(self, minutes: int) -> None:
        self.time_goes_by(minutes * MINUTE)
        self.posts, late = [], self.posts
        self.the_sweep_of_runs(upto=3)
        for post in self.posts:
            with self._unless_busy():
                self._post(post)
            self.world.picture()
        self.posts = late

    def _expect(self) -> None:
        with self._unless_busy():
            with self.world.transaction() as db:
                expected.record_missing(db, self.world.now)
                dependents.promise(db)
            self.world.picture()
            self._every_due_tick_has_a_row()

    def _kick(self) -> None:
        with self._unless_busy():
            for due in sorted(kicks.take_due(self.world.db, 50), key=lambda due: due.execution_id):
                self.posts.append(Post(due.job_id, due.run_at, due.kind, due.execution_id))

    def _every_due_tick_has_a_row(self) -> None:
        for job in self.world.jobs.values():
            there = {row.run_at for row in self.world.of(job.job_id) if row.kind != "manual" and row.parent_id is None}
            pruned = self.world.columns[job.job_id].pruned_through
            for tick in job.due(job.revisions[0].since, self.world.now - job.grace):
                assert tick in there or tick <= pruned, f"{job.job_id} has no row for {tick}"

    # ------------------------------------------------------------------------------------------- people
    @rule(job=NAMES, schedule=SCHEDULES, overlap=OVERLAPS, catchup=CATCHUPS, minutes=st.sampled_from([None, 10, 90]),
          what=st.sampled_from(["schedule", "policies", "pause", "enabled", "switch"]))  # fmt: skip
    def somebody_changes(
        self, job: str, what: str, schedule: str, overlap: str, catchup: str, minutes: int | None
    ) -> None:
        """What is off comes on again when it is touched once more."""
        changed = self.world.jobs[job]
        with self._unless_busy():
            if what == "schedule" and job != "third" and schedule != changed.written:
                self._edit(changed, override_schedule=schedule)
                changed.written = schedule
                changed.revisions.append(Revision(self.world.now, schedule if changed.enabled else None))
            elif what == "policies":
                self._edit(changed, overlap=overlap, catchup=catchup)
                changed.overlap = overlap
            elif what == "pause":
                until = self.world.now + minutes * MINUTE if minutes else None
                with self.world.transaction() as db:
                    operations.pause(db, job, actor="model", reason="because", until=until)
                changed.paused, changed.paused_until = True, until
                changed.resting_since = None if until else changed.resting_since or self.world.now
            elif what == "enabled":
                self._edit(changed, override_enabled=not changed.enabled)
                changed.enabled = not changed.enabled
                changed.revisions.append(Revision(self.world.now, changed.written if changed.enabled else None))
            elif what == "switch":
                self._turn()

    def _edit(self, job: Job, **columns: Any) -> None:
        sets = ", ".join(f"{name} = :{name}" for name in columns)
        with self.world.transaction() as db:
            db.execute(text(f"update belfry.jobs set {sets} where job_id = :job"), {"job": job.job_id, **columns})
            self.world.revise()

    def _turn(self) -> None:
        self.enabled = not self.enabled
        value = "true" if self.enabled else "false"
        self.world.db.execute(
            text("update belfry.biz_config set value = cast(:v as jsonb) where key = 'scheduler.enabled'"), {"v": value}
        )

    @precondition(lambda self: not self.enabled or any(not job.enabled for job in self.world.jobs.values()))
    @rule()
    def everything_is_on_again(self) -> None:
        if not self.enabled:
            self._turn()
        for job in self.world.jobs.values():
            if not job.enabled:
                with self._unless_busy():
                    self._edit(job, override_enabled=True)
                    job.enabled = True
                    job.revisions.append(Revision(self.world.now, job.written))

    @precondition(lambda self: any(job.paused for job in self.world.jobs.values()))
    @rule(missed=st.sampled_from(["skip", "last", "all"]))
    def somebody_resumes(self, missed: str) -> None:
        """Every tick of the pause is a recorded skip, and none of them is caught up by itself."""
        job = next(job for job in self.world.jobs.values() if job.paused)
        with self._unless_busy():
            with self.world.transaction() as db:
                operations.resume(db, job.job_id, actor="model", missed=missed)
            if job.resting_since:
                job.rests.append((job.resting_since, self.world.now))
            job.paused, job.paused_until, job.resting_since = False, None, None

    @rule(job=NAMES, queue=st.booleans())
    def somebody_runs_it_now(self, job: str, queue: bool) -> None:
        busy = any(
            row.overlap != "allow" and (row.state == "running" or (row.state == "pending" and row.kind == "manual"))
            for row in self.world.of(job)
        )
        with self._unless_busy():
            try:
                with self.world.transaction() as db:
                    made = kicks.insert_pending(db, job, run_at=self.world.now, queue=queue)
            except kicks.AlreadyRunning:
                assert busy
                assert not queue
                return
            assert queue or not busy
            self.posts.append(Post(job, self.world.now, "manual", made.execution_id))

    @precondition(lambda self: self.world.rows)
    @rule(which=WHICH, hours=st.integers(1, 4), what=st.sampled_from(["cancel", "rerun", "fill", "prune", "lost kick"]))
    def somebody_asks(self, which: int, what: str, hours: int) -> None:
        """To cancel what is open, to run again what is over, to fill a range, to prune; or a kick names what is not there."""
        rows = list(self.world.rows.values())
        still = [row for row in rows if row.state in OPEN]
        over = [row for row in rows if row.state in TERMINAL]
        now = self.world.now
        with self._unless_busy():
            if what == "prune":
                self.world.db.execute(_PRUNE, {"until": now - hours * timedelta(minutes=20)})
            elif what == "lost kick":
                self._post(Post("first", now, "scheduled", self.world.new_id()))
            elif what == "cancel" and still:
                with self.world.transaction() as db:
                    operations.cancel(db, still[which % len(still)].id, actor="model")
            elif what == "rerun" and over:
                with self.world.transaction() as db:
                    operations.rerun(
                        db, over[-1 - which % len(over)].id, self.world.new_id(), actor="model", reason="because"
                    )
            elif what == "fill":
                with self.world.transaction() as db:
                    ticks = operations.ticks_of_range(db, "second", now - timedelta(hours=hours), now, now)
                    operations.backfill(db, "second", ticks, actor="model", reason="because")
