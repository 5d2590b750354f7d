"""Files in the installed package in addition to modules."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from dockercise_prefect.compiler.schema import FILE, schema_text

ROOT = Path(__file__).parent.parent


def test_the_package_holds_the_schema_and_the_pages(tmp_path: Path) -> None:
    """The wheel and the source archive hold the language's JSON Schema and the pages of the lint rules."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)], cwd=ROOT, check=True, capture_output=True, timeout=60
    )

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read(f"dockercise_prefect/{FILE}").decode() == schema_text()
        page = archive.read("dockercise_prefect/lint_pages/DK101.md")
        assert page == (ROOT / "docs" / "lint" / "DK101.md").read_bytes()
    (source,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        assert any(name.endswith(f"/dockercise_prefect/{FILE}") for name in archive.getnames())
        assert any(name.endswith("/dockercise_prefect/lint_pages/DK101.md") for name in archive.getnames())
