"""The page on AWS: its settings and policies are valid, and its errors exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dockercise_prefect.settings import ConfigFile, Folders, load
from tests.test_user_pages import blocks

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/aws.md").read_text()
FOLDERS = Folders(working=Path("/work"), home=Path("/home/me"), data=Path("/home/me/data"))


def test_the_settings_are_understood() -> None:
    """The file, and every line of it in the text, is read unchanged."""
    (file,) = blocks(PAGE, "toml")
    mentioned = "\n".join(re.findall(r'`((?:aws_role|s3_endpoint|s3_encryption) = "[^"]*")`', PAGE))

    settings = load({}, ConfigFile(Path("config.toml"), file + mentioned), {}, FOLDERS)

    assert settings.results == "s3://my-results/ci"
    assert settings.log_group == "dockercise/ci"
    assert settings.aws_role == "arn:aws:iam::123456789012:role/dockercise-results"
    assert settings.s3_endpoint == "https://storage.example:9000"


def test_the_policies_are_json_and_name_what_is_called() -> None:
    """The policy has each right that the code needs, and no other."""
    rights, trust = map(json.loads, blocks(PAGE, "json"))

    actions = {action for entry in rights["Statement"] for action in _listed(entry["Action"])}
    assert actions == {
        *("s3:PutObject", "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket"),
        *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
    }
    assert trust["Statement"][0]["Action"] == "sts:AssumeRole"


def test_what_is_said_is_what_the_code_says() -> None:
    """Every message that the table explains is in the code."""
    code = "".join(path.read_text() for path in (ROOT / "dockercise_prefect/results").rglob("*.py"))

    for said in ("there are no AWS credentials", "no region is set", "no answer from", "does not accept events with this time"):
        assert f"| `{said}" in PAGE
        assert said in code


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
