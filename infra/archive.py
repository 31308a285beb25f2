"""Builds deployment archives: a function's file as main.py, shared/, what it reads, the requirements, and bytecode.

An archive's name carries the hash of what it was made from, so it changes with that one function's source (and with
shared/) and with nothing else; the same tree gives the same bytes.
Bytecode is shipped because importing without it takes 3.3 times as long; unchecked-hash, because an archive's file
times mean nothing. What all functions share is compiled and compressed once.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EPOCH = (1980, 1, 1, 0, 0, 0)
COMMON = ("shared",)
# Functions that read more of the tree than their own file and what is common.
ALSO: Mapping[str, tuple[str, ...]] = {"console": ("functions/console", "cron.yaml"), "migrate": ("infra/migrations",)}
# What a function installs beside what all do: the same locked versions, and more.
REQUIREMENTS: Mapping[str, str] = {"migrate": "infra/migrations/requirements.txt"}
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")
# A fresh interpreter compiles: what ours has loaded would show in the bytes.
_COMPILE = """
import compileall, py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for root in sys.argv[1:]:
    if not compileall.compile_dir(root, quiet=1, stripdir=root, prependdir="/workspace", invalidation_mode=mode):
        sys.exit(1)
"""


def source_of(function: str) -> Path:
    """The file of a function. Raises FileNotFoundError with the place where it was looked for."""
    found = sorted(p for p in (ROOT / "functions").glob(f"*/{function}.py"))
    if len(found) != 1:
        raise FileNotFoundError(f"functions/*/{function}.py: {len(found)} files, expected one")
    return found[0]


def build(function: str, target: Path) -> Path:
    """Write `<function>-<hash>.zip` into a folder; its path."""
    return target / build_all([function], target)[function]


def build_all(functions: Iterable[str], target: Path) -> dict[str, str]:
    """Write the archive of each function into a folder (made if missing): id -> file name.

    One that is there already is left alone. Raises SyntaxError with the compiler's words.
    """
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        room = Path(name)
        common = _lay_out(room / "common", COMMON)
        own = {one: _lay_out(room / one, ALSO.get(one, ()), function=one) for one in functions}
        shared = _digest(common)  # before the compiler comes: of sources only
        names = {one: f"{one}-{_digest(folder, shared)}.zip" for one, folder in own.items()}
        missing = [one for one in names if not (target / names[one]).exists()]
        if missing:
            _compile([common, *(own[one] for one in missing)])
            _append(room / "common.zip", common)
        for one in missing:
            unfinished = Path(shutil.copyfile(room / "common.zip", room / names[one]))
            _append(unfinished, own[one])
            shutil.move(unfinished, target / names[one])
    return names


def _lay_out(folder: Path, parts: Iterable[str], *, function: str | None = None) -> Path:
    folder.mkdir()
    if function:
        shutil.copyfile(source_of(function), folder / "main.py")
        shutil.copyfile(ROOT / REQUIREMENTS.get(function, "requirements.txt"), folder / "requirements.txt")
    for part in parts:
        source, there = ROOT / part, folder / part
        there.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, there, ignore=_LEFT_OUT)
        else:
            shutil.copyfile(source, there)
    return folder


def _files(folder: Path) -> list[tuple[str, bytes]]:
    found = sorted((path.relative_to(folder).as_posix(), path) for path in folder.rglob("*") if path.is_file())
    return [(name, path.read_bytes()) for name, path in found]


def _digest(folder: Path, before: str = sys.implementation.cache_tag) -> str:
    """Of every file's name and content; of the interpreter, too, whose bytecode goes with them."""
    made = hashlib.sha256(before.encode())
    for name, content in _files(folder):
        made.update(f"{name}\0{len(content)}\0".encode() + content)
    return made.hexdigest()[:16]


def _compile(folders: Iterable[Path]) -> None:
    command = [sys.executable, "-S", "-s", "-c", _COMPILE, *map(str, folders)]  # nothing of ours, nothing of this user
    done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SyntaxError(f"the archives do not compile:\n{done.stdout}{done.stderr}")


def _append(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as out:
        for name, content in _files(folder):
            out.writestr(zipfile.ZipInfo(name, EPOCH), content, zipfile.ZIP_DEFLATED)
