"""Whether a config would work, found out without spending anything."""

from .check import Check
from .examination import examine

__all__ = ["Check", "examine"]
