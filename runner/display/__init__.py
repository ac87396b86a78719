"""Show runs on the terminal: while they are under way, and when they have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.lazy import names_from

if TYPE_CHECKING:
    from .closing import print_closing
    from .line import clean
    from .output import print_error, print_problems, tolerate_broken_pipe
    from .plain import observing

__all__ = ["clean", "observing", "print_closing", "print_error", "print_problems", "tolerate_broken_pipe"]

# The entry asks for the output alone, and an error for one function.
__getattr__ = names_from(
    __name__,
    {
        "closing": ("print_closing",),
        "line": ("clean",),
        "output": (
            "print_error",
            "print_problems",
            "tolerate_broken_pipe",
        ),
        "plain": ("observing",),
    },
)
