"""What takes the output of a container or a build."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

Channel: TypeAlias = Literal["stdout", "stderr"]
OutputSink: TypeAlias = Callable[[Channel, bytes], None]
"""Gets each chunk of output as it comes, in order, from one thread."""
