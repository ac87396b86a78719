"""What the terminal shows: while runs are under way, and when they have ended."""

from .closing import print_closing
from .complaint import print_error, print_problems
from .observing import observing
from .plain import clean
from .reader import reader_may_leave

__all__ = ["clean", "observing", "print_closing", "print_error", "print_problems", "reader_may_leave"]
