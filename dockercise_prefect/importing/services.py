"""Names of services."""

from __future__ import annotations

import re


def service_name(image: str) -> str:
    """The name by which a container of an image is reached if nothing else says it: `postgres` for `library/postgres:17`."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.sub(r"[^A-Za-z0-9-]", "-", name).strip("-") or "service"
