"""A real database as a service: two stages at once, each with its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import Dockercise
from tests.support.deploy_images import postgres_image

pytestmark = [pytest.mark.docker, pytest.mark.acceptance]

STAGE = """\
{name}:
  img: {image}
  env: {{PGPASSWORD: {{stage: password}}}}
  run: |
    psql() {{ /usr/lib/postgresql/*/bin/psql -h db -U app -d app -tA "$@"; }}
    psql -c "create table t (word text)" -c "insert into t values ('{name}')" >&2
    test "$(psql -c "select word from t")" = {name}
  services:
    db:
      img: {image}
      env:
        POSTGRES_USER: app
        POSTGRES_DB: app
        POSTGRES_PASSWORD: {{stage: password}}
      ready: /usr/lib/postgresql/*/bin/pg_isready -h 127.0.0.1 -U app
"""


def test_two_stages_each_have_a_postgres_of_their_own(dockercise_run: Dockercise, tmp_path: Path) -> None:
    """Both databases listen on port 5432 at once, with a password that another stage printed, and hold only their own rows."""
    image = postgres_image()
    (tmp_path / "p").mkdir()
    password = f"password: {{img: '{image}', run: printf s3cret%s -word, noLog: true}}\n"
    stages = "".join(STAGE.format(name=name, image=image) for name in ("orders", "invoices"))
    (tmp_path / "p/p.dockercise.yaml").write_text(f"meta: {{name: shop}}\n{password}{stages}")

    said = dockercise_run("-C", tmp_path / "p", "--results", tmp_path / "results")

    (record,) = (tmp_path / "results/shop").glob("2*")
    ended = {name: json.loads((record / f"{name}.json").read_text()) for name in ("orders", "invoices")}
    assert {name: entry["status"] for name, entry in ended.items()} == {"orders": "passed", "invoices": "passed"}, said.stderr
    assert all("s3cret-word" not in path.read_text(errors="replace") for path in record.iterdir())
