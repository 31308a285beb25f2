"""A process whose clock is wrong by BELFRY_SKEW seconds: Python imports this file when its folder is on PYTHONPATH."""

import datetime
import os
import time

OFFSET = float(os.environ["BELFRY_SKEW"])
_time = time.time


class Skewed(datetime.datetime):
    """datetime with the wrong time."""

    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(_time() + OFFSET, tz)


time.time = lambda: _time() + OFFSET
datetime.datetime = Skewed
