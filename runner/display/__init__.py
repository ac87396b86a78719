"""What the terminal shows: while runs are under way, and when they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .closing import print_closing
    from .complaint import print_error, print_problems
    from .line import clean
    from .reader import reader_may_leave
    from .selection import observing

__all__ = ["clean", "observing", "print_closing", "print_error", "print_problems", "reader_may_leave"]

# The entry asks for the reader alone, and an error for one function.
__getattr__ = names_from(
    __name__,
    {
        "closing": ("print_closing",),
        "complaint": ("print_error", "print_problems"),
        "line": ("clean",),
        "reader": ("reader_may_leave",),
        "selection": ("observing",),
    },
)
