"""Writes the pages that are made from cron.yaml, or (--check) says which of them are stale: exit 1."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.pages import catalogue, jobtable
from shared.cronfile.loading import load

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.pages", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a page is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help="the folder that holds the pages")
    options = parser.parse_args(argv)
    file = load(ROOT / "cron.yaml")
    readme = options.root / "README.md"
    pages = {
        readme: jobtable.replaced(readme.read_text("utf-8"), jobtable.table(file)),
        options.root / "infra" / "catalogue.md": catalogue.page(file),
    }
    stale = [path for path, text in pages.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if options.check:
            print(f"{path.relative_to(options.root)} is stale; `make pages` writes it anew", file=sys.stderr)
        else:
            path.write_text(pages[path], "utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
