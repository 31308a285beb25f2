"""Whatever is edited, as long as the file is valid: the report can be written, and says nothing only of nothing."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from infra.check import changes, checklist, command, report
from infra.check.revision import Revision
from shared.cronfile.loading import parse
from shared.cronfile.specs import CronFileError
from tests.infra.check.world import AT, FILE, read

SCHEDULES = [
    "* * * * *",
    "*/7 3 * * *",
    "0 8 29 2 *",
    "0 0 31 2 *",
    "30 2 * * 0",
    "0 23 1,15 * *",
    "0 6 * * *",
    "59 23 31 12 *",
]
FIELDS = {
    "schedule": st.sampled_from(SCHEDULES).map('"{}"'.format),
    "time_zone": st.sampled_from(["Asia/Shanghai", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "Australia/Lord_Howe"]),
    "calendar": st.sampled_from(["every_day", "cn_workdays"]),
    "enabled": st.sampled_from(["true", "false"]),
    "window": st.sampled_from(["0m", "10m"]),
    "depends_on": st.sampled_from(["[check_kit]", "[check_cost]", "[sync, check_kit]", "[sum_up]"]),
    "catchup": st.sampled_from(["none", "last"]),
    "runbook": st.sampled_from(["once more", "{zh: 再来, en: again}"]),
    "reason": st.sampled_from(["it rains", '"| `x` <b>"']),
    "sla": st.sampled_from(['{finish_by: "00:00"}', "{max_duration: 1}"]),
    "params": st.sampled_from(["{}", "{levels: {warning: 1}}", "{roles: []}"]),
}  # fmt: skip
JOBS = ("check_cost", "check_kit", "check_shortage", "sum_up", "sync")
EDITS = st.lists(
    st.tuples(st.sampled_from(JOBS), st.sampled_from(sorted(FIELDS))).flatmap(
        lambda where: st.tuples(st.just(where), FIELDS[where[1]])
    ),
    max_size=6,
)


def edited(edits: list[tuple[tuple[str, str], str]]) -> str:
    """The file with each job's field written so, in place of what it had."""
    head, *blocks = FILE.split("\n  check_cost:")[0], *JOBS
    written = {}
    for job in blocks:
        block = FILE[FILE.index(f"  {job}:") :].splitlines()[1:]
        own = block[: next((number for number, line in enumerate(block) if not line.startswith("    ")), len(block))]
        fields = dict(line.strip().split(": ", 1) for line in own)
        written[job] = fields | {field: value for (of, field), value in edits if of == job}
    jobs = "".join(
        f"\n  {job}:" + "".join(f"\n    {name}: {text}" for name, text in of.items()) for job, of in written.items()
    )
    return f"{head}{jobs}\n"


@settings(max_examples=30, deadline=None)
@given(edits=EDITS)
def test_a_valid_edit_can_be_told_and_what_is_told_of_nothing_is_nothing(
    edits: list[tuple[tuple[str, str], str]],
) -> None:
    was = read(FILE)
    try:
        now = parse(edited(edits).encode(), Path("cron.yaml"), at=AT)
    except CronFileError:
        return
    sections = command.answers(Revision("HEAD", was), now, AT)
    assert report.plain(sections)
    assert report.markdown(sections, [], [])
    same = changes.entries(was) == changes.entries(now)
    assert sections[0].title.endswith("nothing changes") is same
    unexplained = {problem.where.removesuffix(".reason") for problem in checklist.missing(was, now)}
    assert unexplained <= sections[0].facts["changed"].keys()
