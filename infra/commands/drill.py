"""`drill`: lose Postgres, bring it back to an earlier time, see that nobody is told twice. In a folder of its own."""

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from infra.commands.outcome import parser
from shared import schedule


def main(argv: Sequence[str]) -> int:
    asked = parser("drill", __doc__)
    asked.add_argument("--keep", metavar="DIR", type=Path, help="work in this new folder and leave it there")
    options = asked.parse_args(argv)
    from infra.local.drill import Drill  # it loads the whole local cloud

    def say(words: str) -> None:
        if not options.json:
            print(words, flush=True)

    with tempfile.TemporaryDirectory(prefix="belfry-drill-") as name:
        done = asyncio.run(Drill(options.keep or Path(name), schedule.now(), say).run())
    if not options.json:
        print()
        for word, value in done.as_dict().items():
            print(f"{word.replace('_', ' '):<24}{value}")
    print(json.dumps(done.as_dict()))
    return 0 if done.good else 1
