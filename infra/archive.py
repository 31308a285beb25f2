"""Builds a function's deployment archive: its file as main.py, shared/, what it reads, the requirements, and bytecode.

The same tree gives the same bytes, so the archive's hash changes with that one function's source (and with shared/)
and nothing else.
Bytecode is shipped because importing without it takes 3.3 times as long; unchecked-hash, because an archive's file
times mean nothing.
"""

from __future__ import annotations

import compileall
import hashlib
import py_compile
import shutil
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EPOCH = (1980, 1, 1, 0, 0, 0)
# Functions that read more of the tree than their own file and shared/.
ALSO = {"console": ("functions/console", "cron.yaml")}
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


def source_of(function: str) -> Path:
    """The file of a function. Raises FileNotFoundError with the place where it was looked for."""
    found = sorted(p for p in (ROOT / "functions").glob(f"*/{function}.py"))
    if len(found) != 1:
        raise FileNotFoundError(f"functions/*/{function}.py: {len(found)} files, expected one")
    return found[0]


def lay_out(function: str, folder: Path) -> None:
    """Put the archive's content into an empty folder."""
    shutil.copyfile(source_of(function), folder / "main.py")
    shutil.copyfile(ROOT / "requirements.txt", folder / "requirements.txt")
    for part in ("shared", *ALSO.get(function, ())):
        source, target = ROOT / part, folder / part
        if source.is_dir():
            shutil.copytree(source, target, ignore=_LEFT_OUT)
        else:
            shutil.copyfile(source, target)
    compiled = compileall.compile_dir(
        folder,
        quiet=1,
        stripdir=str(folder),
        prependdir="/workspace",
        optimize=-1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not compiled:
        raise SyntaxError(f"{function}: the archive does not compile")


def build(function: str, target: Path) -> Path:
    """Write `<function>-<hash>.zip` into a folder; its path."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(function, folder)
        files = sorted(p for p in folder.rglob("*") if p.is_file())
        archive = folder.with_suffix(".zip")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
            for path in files:
                out.writestr(
                    zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH), path.read_bytes(), zipfile.ZIP_DEFLATED
                )
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()[:16]
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(archive, target / f"{function}-{digest}.zip"))
