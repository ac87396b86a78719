"""Many runs from one command: composed once each, checked together, launched together."""

from .exit_code import exit_code
from .varying import Varying, varying

__all__ = ["Varying", "exit_code", "varying"]
