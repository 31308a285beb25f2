"""Writes README's table of jobs from cron.yaml, or (--check) says whether it is stale: exit 1."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cron_descriptor import ExpressionDescriptor, Options

from shared.cronfile.loading import load
from shared.cronfile.specs import CronFile, JobSpec

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- jobs:begin -->", "<!-- jobs:end -->"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.jobtable", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when the table is stale")
    parser.add_argument("--readme", type=Path, default=ROOT / "README.md")
    options = parser.parse_args(argv)
    is_now = options.readme.read_text("utf-8")
    shall_be = replaced(is_now, table(load(ROOT / "cron.yaml")))
    if is_now == shall_be:
        return 0
    if options.check:
        print(f"{options.readme.name}: the table of jobs is stale; run `python -m infra.jobtable`", file=sys.stderr)
        return 1
    options.readme.write_text(shall_be, "utf-8")
    return 0


def replaced(readme: str, between: str) -> str:
    """The text with what stands between the markers replaced."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md needs a line {BEGIN} and behind it a line {END}")
    return f"{before}{BEGIN}\n{between}{END}{after}"


def table(file: CronFile) -> str:
    """One row a job, in the file's order; times are those of the file's most common zone."""
    zones = [job.time_zone for job in file.jobs.values()]
    usual = max(zones, key=zones.count)
    rows = [f"Times are {usual}.", "", "| Job | When | What it does | Owner |", "| --- | --- | --- | --- |"]
    for job in file.jobs.values():
        name = f"[`{job.id}`]({job.source})<br>{job.name['zh']} · {job.name['en']}"
        cells = name, when(job, usual), job.description["en"], job.owner or ""
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"


def when(job: JobSpec, usual_zone: str) -> str:
    """The schedule as a sentence."""
    if job.schedule is None:
        said = f"After each success of `{job.depends_on[0]}`"
    else:
        said = sentence(job.schedule)
        said += f" ({job.time_zone})" if job.time_zone != usual_zone else ""
        said += f", after {' and '.join(f'`{upstream}`' for upstream in job.depends_on)}" if job.depends_on else ""
    said += ", on Chinese workdays" if job.calendar == "cn_workdays" else ""
    return said if job.enabled else f"{said} (switched off)"


def sentence(schedule: str) -> str:
    """A cron expression in English, in 24-hour time."""
    options = Options()
    options.use_24hour_time_format, options.locale_code = True, "en_US"
    said: str = ExpressionDescriptor(schedule, options).get_description()
    daily = schedule.endswith(" * * *") and said.startswith("At ") and "past the hour" not in said
    return f"Every day at {said.removeprefix('At ')}" if daily else said


if __name__ == "__main__":
    sys.exit(main())
