"""The catalogue for business readers: by area what each job does, when, who owns it, what it reads and writes."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from infra.pages.timing import when
from shared.cronfile.specs import CATEGORIES, CronFile, JobSpec

LOCALES = Path(__file__).resolve().parents[2] / "functions" / "console" / "locales"
_CHINESE = re.compile("[\u4e00-\u9fff]")
BY_THE_CLOCK = 4  # single times a day; what rings more often has a line of its own
_SAID = {
    "zh": {
        "title": "业务目录",
        "made": "本页由 `cron.yaml` 生成，请勿手工修改；`make pages` 重新生成。",
        "zone": "时间均为 {zone}。",
        "clock": "一天的时间表",
        "time": "时间",
        "all_day": "全天",
        "with": "{name}（{sentence}）",
        "are": "{sentence}：{names}",
        "is": "{name}：{text}",
        "comma": "、",
    },
    "en": {
        "title": "Business catalogue",
        "made": "Made from `cron.yaml`, not to be edited; `make pages` writes it anew.",
        "zone": "Times are {zone}.",
        "clock": "The day by the clock",
        "time": "Time",
        "all_day": "All day",
        "with": "{name} ({sentence})",
        "are": "{sentence}: {names}",
        "is": "{name}: {text}",
        "comma": ", ",
    },
}


def page(file: CronFile) -> str:
    """The whole page: Chinese first, English second."""
    return "\n".join([*_language(file, "zh"), "", *_language(file, "en")]) + "\n"


def _language(file: CronFile, language: str) -> Iterator[str]:
    said, texts = _SAID[language], json.loads((LOCALES / f"{language}.json").read_text("utf-8"))
    yield from (f"# {said['title']}", "", said["made"], said["zone"].format(zone=file.usual_zone), "")
    yield from (f"## {said['clock']}", "", f"| {said['time']} | {texts['jobs']['job']} |", "| --- | --- |")
    yield from (f"| {time} | {'<br>'.join(jobs).replace('|', '&#124;')} |" for time, jobs in _timetable(file, language))
    for area in CATEGORIES:
        jobs = [job for job in file.jobs.values() if job.category == area]
        if jobs:
            yield from ("", f"## {texts['category'][area]}")
        for job in jobs:
            yield from _job(job, file, language, texts)


def _job(job: JobSpec, file: CronFile, language: str, texts: dict[str, dict[str, str]]) -> Iterator[str]:
    facts = {
        texts["jobs"]["schedule"]: _when(job, file, language),
        texts["jobs"]["owner"]: job.owner or "",
        texts["job"]["risk"]: texts["risk"][job.risk],
        texts["job"]["reads"]: _tables(job.reads, language),
        texts["job"]["writes"]: _tables(job.writes, language),
        texts["job"]["runbook"]: _runbook(job.runbook, language),
    }
    yield from ("", f"### {job.name[language]}", "", f"`{job.id}`", "", job.description[language], "")
    yield from (f"- {_SAID[language]['is'].format(name=name, text=text)}" for name, text in facts.items() if text)


def _timetable(file: CronFile, language: str) -> Iterator[tuple[str, list[str]]]:
    """Each time of day with its jobs, days other than every day said; last what rings all day long or by no clock."""
    said, clock, all_day = _SAID[language], defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for job in file.jobs.values():
        name, sentence = job.name[language], _when(job, file, language)
        cron = job.timetable.cron if job.timetable else None
        if cron is None or len(cron.hours) * len(cron.minutes) > BY_THE_CLOCK:
            all_day[sentence].append(name)
            continue
        ordinary = job.enabled and job.time_zone == file.usual_zone and job.calendar == "every_day"
        every_day = ordinary and (len(cron.days), len(cron.months), len(cron.weekdays)) == (31, 12, 7)
        shown = name if every_day else said["with"].format(name=name, sentence=sentence)
        for time in (f"{hour:02}:{minute:02}" for hour in cron.hours for minute in cron.minutes):
            clock[time].append(shown)
    yield from sorted(clock.items())
    if all_day:
        named = {sentence: said["comma"].join(names) for sentence, names in all_day.items()}
        lines = [said["are"].format(sentence=sentence, names=names) for sentence, names in named.items()]
        yield said["all_day"], lines


def _when(job: JobSpec, file: CronFile, language: str) -> str:
    return when(job, file.usual_zone, language, lambda one: file.jobs[one].name[language])


def _tables(tables: tuple[str, ...], language: str) -> str:
    return _SAID[language]["comma"].join(f"`{one}`" for one in tables)


def _runbook(text: str | None, language: str) -> str:
    """What is written in the reader's language, else all there is, on one line: Chinese has Chinese signs."""
    lines = (text or "").splitlines()
    own = [line for line in lines if bool(_CHINESE.search(line)) == (language == "zh")]
    return " ".join(own or lines)
