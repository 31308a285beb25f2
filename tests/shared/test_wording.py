"""What the real jobs write about a whole factory can be said, in both languages, for every reason it is told."""

from __future__ import annotations

from datetime import date

import yaml
from sqlalchemy import Connection, text

from infra.local.demo import populate
from shared import i18n
from tests.conftest import ROOT, Perform

DAY = date(2026, 3, 2)
JOBS = sorted(
    job
    for job, entry in yaml.safe_load((ROOT / "cron.yaml").read_text("utf-8"))["jobs"].items()
    if entry["category"] != "platform"
)


def test_every_message_of_a_day_of_the_demo_factory_has_its_text(db: Connection, perform: Perform) -> None:
    populate(db, DAY)
    # The second round finds what the first one left open, ten days older: upgrades, escalations, ends.
    for day in ("2026-03-02", "2026-03-12"):
        for job in JOBS:
            assert perform(job, f"{day}T09:00+08:00")["http_status"] == 200, job
    messages = db.execute(text("select type, reason, severity, facts from belfry.notifications")).all()
    assert {m.reason for m in messages} >= {"NEW", "ESCALATED", "REMINDER"}
    assert len({m.type for m in messages}) >= 8
    for message in messages:
        for language in i18n.LANGUAGES:
            words = i18n.render(
                message.type, language, {"level": message.severity, **message.facts}, reason=message.reason
            )
            assert words.title, message
            assert words.body, message
            assert "None" not in f"{words.title} {words.body} {words.sms}", message
