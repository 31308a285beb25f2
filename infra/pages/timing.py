"""When does a job run, as a page says it: its sentence with its zone, its upstreams and whether it runs at all."""

from __future__ import annotations

from collections.abc import Callable

from shared import sentences
from shared.cronfile.specs import JobSpec

_SAID = {
    "zh": {"zone": "{said}（{zone}）", "after": "{said}，等待{jobs}成功", "off": "{said}（已停用）"},
    "en": {"zone": "{said} ({zone})", "after": "{said}, after {jobs}", "off": "{said} (switched off)"},
}


def when(job: JobSpec, usual_zone: str, language: str, named: Callable[[str], str]) -> str:
    """The sentence; `named` says what another job is called."""
    upstreams = [named(one) for one in job.depends_on]
    said, words = sentences.of_job(job.schedule, job.calendar, upstreams, language), _SAID[language]
    if job.schedule and job.time_zone != usual_zone:
        said = words["zone"].format(said=said, zone=job.time_zone)
    if job.schedule and upstreams:
        said = words["after"].format(said=said, jobs=sentences.listed(language, upstreams))
    said = said if job.enabled else words["off"].format(said=said)
    return said[0].upper() + said[1:]
