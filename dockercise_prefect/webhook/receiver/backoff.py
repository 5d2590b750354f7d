"""When to try again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Seconds between attempts: doubled each time, up to `longest`, then made shorter at random by up to a quarter.

    The random part avoids that many attempts that failed at the same moment are repeated at the same moment.
    """

    first: float = 1.0
    longest: float = 60.0

    def pause(self, attempts: int) -> float:
        """Seconds to wait when this many attempts failed before this one."""
        whole = min(self.longest, self.first * 2.0 ** min(attempts, 30))
        return whole * random.uniform(0.75, 1.0)  # noqa: S311  no secret depends on this number
