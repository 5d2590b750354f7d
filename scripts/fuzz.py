"""Feed bytes of all kinds to the compiler, as long as asked, and keep what breaks it as a new case.

    make fuzz                                        ten minutes
    .venv/bin/python -m scripts.fuzz [--seconds N]

It begins with the files of `tests/cases` and changes them under the eyes of atheris, which sees what code they reach. What
must hold of any file says `tests/compiler/invariants.py`. A file that breaks it is written to `tests/cases/fuzz-…/`, where the
golden cases hold it once the code is mended. Atheris exists for some versions of Python only, so no lock holds it:
`.venv/bin/uv pip install atheris`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases"
LONGEST = 4096
"""Bytes of an input: what goes wrong goes wrong in little."""


def keep(data: bytes) -> Path:
    """Write a file that broke something as a case of its own."""
    folder = CASES / f"fuzz-{hashlib.sha256(data).hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    path = folder / "a.dockercise.yaml"
    path.write_bytes(data)
    return path


def try_out(check: Any, data: bytes) -> None:
    """Check one input; keep it and end when something does not hold."""
    try:
        check(data)
    except Exception:  # noqa: BLE001  whatever it is, it is what was looked for
        print(f"\nkept as {keep(data)}", file=sys.stderr, flush=True)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # atheris would hide the status in its own report


def main() -> None:
    """Fuzz until the time is over (exit status 0) or something broke (1)."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=int, default=600)
    arguments = parser.parse_args()
    try:
        atheris: Any = importlib.import_module("atheris")
    except ImportError:
        raise SystemExit(
            "fuzzing needs atheris: `.venv/bin/uv pip install atheris`; it is not there for every Python"
        ) from None
    with atheris.instrument_imports(include=["dockercise_prefect"]):
        check = importlib.import_module("tests.compiler.invariants").check_file
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(sorted(CASES.rglob("*.yaml"))):
            Path(corpus, f"seed-{number}").write_bytes(seed.read_bytes()[:LONGEST])
        options = [f"-max_total_time={arguments.seconds}", f"-max_len={LONGEST}", "-timeout=30", corpus]
        atheris.Setup([sys.argv[0], *options], lambda data: try_out(check, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
