"""Lays out a filesystem mirror with the stand-in as hashicorp/google 8.7.0: `python -m tests.infra.terraform.mirror DIR`.

Terraform finds it by `TF_CLI_CONFIG_FILE=DIR/terraform.rc` and asks nobody else. Prints that file's path.
"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

VERSION = "8.7.0"
ROOT = Path(__file__).resolve().parents[3]
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def lay_out(folder: Path) -> Path:
    """Write the mirror into a folder (made if missing, overwritten if there); the path of its terraform.rc."""
    folder = folder.resolve()
    machine = platform.machine()
    place = folder / f"registry.terraform.io/hashicorp/google/{VERSION}"
    program = (
        place
        / f"{platform.system().lower()}_{_MACHINES.get(machine, machine)}"
        / f"terraform-provider-google_v{VERSION}"
    )
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m tests.infra.terraform.provider\n', encoding="utf-8"
    )
    program.chmod(0o755)
    config = folder / "terraform.rc"
    config.write_text(
        f'disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = "{folder}"\n  }}\n}}\n',
        encoding="utf-8",
    )
    return config


if __name__ == "__main__":
    print(lay_out(Path(sys.argv[1])))
