"""A reload in a process of its own, to be killed: `python reloading.py CRON_FILE` with the settings of its environment."""

import sys
from pathlib import Path

from shared import db, scheduler_api
from shared.cronfile.loading import load
from shared.operator import reload

with db.connect() as connection, scheduler_api.connect() as live:
    reload.apply(connection, load(Path(sys.argv[1])), live, actor="killed")
