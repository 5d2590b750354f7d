"""Gives random bytes to the compiler for a given time, and keeps inputs that break it as new cases.

    make fuzz                                        ten minutes
    .venv/bin/python -m scripts.fuzz [--seconds N]

It starts with the files of `tests/cases` and changes them with atheris, which sees the code that they reach.
`tests/compiler/invariants.py` says what must be true for any file. A file that breaks a rule is written to
`tests/cases/fuzz-…/`. When the code is fixed, it becomes a golden case. Atheris exists only for some versions of Python, so
it is in no lock file: `.venv/bin/uv pip install atheris`.
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
"""The maximum size of an input in bytes. Small inputs are enough to find errors."""


def keep(data: bytes) -> Path:
    """Write a file that broke something as a new case."""
    folder = CASES / f"fuzz-{hashlib.sha256(data).hexdigest()[:12]}"
    folder.mkdir(exist_ok=True)
    path = folder / "a.dockercise.yaml"
    path.write_bytes(data)
    return path


def try_out(check: Any, data: bytes) -> None:
    """Check one input. If it breaks a rule, keep it and end the process."""
    try:
        check(data)
    except Exception:  # noqa: BLE001  any exception is a finding
        print(f"\nkept as {keep(data)}", file=sys.stderr, flush=True)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # atheris would replace the status with its own


def main() -> None:
    """Fuzz until the time is over (exit status 0) or something breaks (1)."""
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
