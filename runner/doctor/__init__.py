"""Find out whether a config would work, without spending anything."""

from .check import Check
from .examination import examine

__all__ = ["Check", "examine"]
