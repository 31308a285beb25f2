"""What a unix-cron expression means: five fields, the dialect of Cloud Scheduler, nothing beyond it."""

import re
from dataclasses import dataclass
from itertools import pairwise

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_LONGEST = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_VALUE = r"[0-9]{1,2}|[A-Z]{3}"
_ITEM = re.compile(rf"(?:(?P<star>\*)|(?P<low>{_VALUE})(?:-(?P<high>{_VALUE}))?)(?:/(?P<step>[0-9]{{1,2}}))?")


class ScheduleError(ValueError):
    """The schedule is not one that Cloud Scheduler and Belfry can ring by."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        words = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{words}, as *, a, a-b, a list of these, or */n and a-b/n"

    def values(self, text: str) -> frozenset[int]:
        found: set[int] = set()
        for item in text.split(","):
            found.update(self._item(item, text))
        if self.names is _WEEKDAYS:  # 0 and 7 are both Sunday
            found = {value % 7 for value in found}
        return frozenset(found)

    def _item(self, item: str, text: str) -> range:
        match = _ITEM.fullmatch(item.upper()) if item.isascii() else None
        if match is None:
            raise ScheduleError(f"{self.name} {text!r} is not understood; allowed: {self.allowed}")
        low = self.low if match["star"] else self._number(match["low"])
        high = min(self.high, 6 if self.names is _WEEKDAYS else self.high) if match["star"] else low
        if match["high"]:
            high = self._number(match["high"])
            if high < low:
                raise ScheduleError(f"{self.name} {item!r} runs backwards; write the lower end first, or two ranges")
        if match["step"] is None:
            return range(low, high + 1)
        if not match["star"] and not match["high"]:
            raise ScheduleError(f"{self.name} {item!r}: a step needs a range; write {low}-{self.high}/{match['step']}")
        step = int(match["step"])
        if not 1 <= step <= self.high:
            raise ScheduleError(f"{self.name} {item!r}: the step must be 1-{self.high}")
        return range(low, high + 1, step)

    def _number(self, word: str) -> int:
        if word.isdigit():
            number = int(word)
            if not self.low <= number <= self.high:
                raise ScheduleError(f"{self.name} {word} is out of range; allowed: {self.allowed}")
            return number
        if word not in self.names:
            raise ScheduleError(f"{self.name} {word!r} is not understood; allowed: {self.allowed}")
        return self.names.index(word) + self.low


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day-of-month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day-of-week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: the set of allowed values of each field, weekdays counted from Sunday = 0."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Expression":
        """Raises ScheduleError that names the field and what it allows."""
        words = text.split(" ")
        if len(words) != 5 or not all(words):
            raise ScheduleError(
                f"{text!r} is not five fields, one blank apart: minute hour day-of-month month day-of-week"
            )
        sets = [field.values(word) for field, word in zip(_FIELDS, words, strict=True)]
        if words[2] != "*" and words[4] != "*":
            # Cron fires when either matches, readers expect both: nobody means it.
            raise ScheduleError("day-of-month and day-of-week are both restricted; leave one of them *")
        return cls(text, *sets)

    @property
    def by_the_clock(self) -> bool:
        """Set to times of day, not every so many minutes or hours: neither minute nor hour starts with a star."""
        minute, hour = self.text.split(" ")[:2]
        return not (minute.startswith("*") or hour.startswith("*"))

    @property
    def never_fires(self) -> bool:
        return all(min(self.days) > _LONGEST[month] for month in self.months)

    @property
    def canonical(self) -> str:
        """The same grid in numbers and lists only, for the engine that walks it."""
        words = self.text.split(" ")
        sets = (self.minutes, self.hours, self.days, self.months, self.weekdays)
        return " ".join(
            "*" if word == "*" else ",".join(map(str, sorted(values))) for word, values in zip(words, sets, strict=True)
        )

    @property
    def shortest_gap(self) -> int:
        """Minutes between the two nearest ticks, on days without a clock change."""
        times = sorted(hour * 60 + minute for hour in self.hours for minute in self.minutes)
        gaps = [later - sooner for sooner, later in pairwise(times)]
        return min([*gaps, self._days_apart * 1440 - times[-1] + times[0]])

    @property
    def _days_apart(self) -> int:
        if len(self.weekdays) < 7:
            wheel = sorted(self.weekdays)
            return min((later - sooner) % 7 or 7 for sooner, later in pairwise([*wheel, wheel[0]]))
        days = sorted(self.days)
        within = [later - sooner for sooner, later in pairwise(days)]
        return min([*within, *(length - days[-1] + days[0] for length in (28, 29, 30, 31) if days[-1] <= length)])
