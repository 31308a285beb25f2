"""What does a change of cron.yaml do, and may it be merged? Exit 2 with every error at its line and column when not."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from infra.check import checklist, clocks, collisions, connections, cost, narrative, report, revision
from infra.check.report import Section
from infra.check.revision import Revision
from infra.commands.deployed import Deployed, add_identity
from infra.commands.outcome import parser
from shared import schedule
from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, CronFileError

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    asked = parser("check", __doc__)
    asked.add_argument("file", nargs="?", type=Path, default=ROOT / "cron.yaml", help="the file to judge")
    asked.add_argument("--without-sources", action="store_true", help="do not look for the functions' own files")
    asked.add_argument("--against", metavar="REF", help="git revision to compare with (default: origin/main, or HEAD)")
    asked.add_argument("--live", action="store_true", help="what a reload of the local cloud that is up would change")
    asked.add_argument("--console", metavar="URL", help="the same of a deployed console's jobs")
    add_identity(asked)
    asked.add_argument("--markdown", metavar="FILE", type=Path, help="append the report to this file, as Markdown")
    options = asked.parse_args(argv)
    was = revision.before(options.file, options.against)
    errors, warnings, sections, now = [], [], list[Section](), None
    at, until = schedule.now(), schedule.WORKDAYS_UNTIL
    sources = None if options.without_sources else options.file.resolve().parent
    try:
        now = load(options.file, sources=sources, at=at, workdays_until=until)
        problems = checklist.missing(was.file, now) if was.file else []
        sections = answers(was, now, at)
        sections += _live(now, options)
        warnings = [str(warning) for warning in now.warnings]
    except CronFileError as wrong:
        problems = wrong.errors
    errors = [str(problem) for problem in problems]
    if not options.json:
        if sections:
            print(report.plain(sections), end="\n\n", flush=True)
        for line in errors:
            print(f"error   {line}", file=sys.stderr)
        for line in warnings:
            print(f"warning {line}", file=sys.stderr)
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as page:
            page.write(report.markdown(sections, errors, warnings))
    counts = {"jobs": len(now.jobs), "functions": len(now.functions)} if now else {}
    facts = {section.name: section.facts for section in sections}
    said = {"ok": not errors, **counts, "against": was.said, **facts, "errors": errors, "warnings": warnings}
    print(json.dumps(said, ensure_ascii=False))
    return 2 if errors else 0


def answers(was: Revision, now: CronFile, at: datetime) -> list[Section]:
    """One section a question, in the order in which a reviewer asks them."""
    return [
        narrative.section(was.file, now, was.said, at) if was.file else Section("changes", was.said, (), None),
        collisions.section(was.file, now),
        connections.section(was.file, now),
        cost.section(was.file, now),
        clocks.section(now, at, schedule.WORKDAYS_UNTIL),
    ]


def _live(now: CronFile, options: Namespace) -> Iterator[Section]:
    if options.live or options.console:
        from infra.check import live  # the database's libraries; the rest of the report comes without
    if options.live:
        yield live.at_home(now, options.home)
    if options.console:
        yield live.at_console(now, Deployed(options.console, options.account, options.audience))


if __name__ == "__main__":
    sys.exit(main())
