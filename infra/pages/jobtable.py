"""README's table of jobs: one row a job."""

from __future__ import annotations

from infra.pages.timing import when
from shared.cronfile.specs import CronFile

BEGIN, END = "<!-- jobs:begin -->", "<!-- jobs:end -->"


def replaced(readme: str, between: str) -> str:
    """The text with what stands between the markers replaced."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"README.md needs a line {BEGIN} and behind it a line {END}")
    return f"{before}{BEGIN}\n{between}{END}{after}"


def table(file: CronFile) -> str:
    """One row a job, in the file's order; times are those of the file's most common zone."""
    rows = [f"Times are {file.usual_zone}.", "", "| Job | When | What it does | Owner |", "| --- | --- | --- | --- |"]
    for job in file.jobs.values():
        name = f"[`{job.id}`]({job.source})<br>{job.name['zh']} · {job.name['en']}"
        cells = name, when(job, file.usual_zone, "en", "`{}`".format), job.description["en"], job.owner or ""
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(rows) + "\n"
