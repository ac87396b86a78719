"""Take from this process what lets root read everything, so that a closed directory is closed to tests, too."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1, 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Half(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextmanager
def none_beyond_permissions() -> Iterator[None]:
    """Let the permissions of files hold for this thread and those that it starts; skips where that cannot be had."""
    if not hasattr(os, "geteuid"):
        pytest.skip("permissions are another thing here")
    if os.geteuid():
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root reads everything")
    libc, header, halves = ctypes.CDLL(None), _Header(_VERSION, 0), (_Half * 2)()
    if libc.capget(ctypes.byref(header), halves):
        pytest.skip("root reads everything")
    before = halves[0].effective
    halves[0].effective &= ~(1 << _DAC_OVERRIDE | 1 << _DAC_READ_SEARCH)
    assert not libc.capset(ctypes.byref(header), halves)
    try:
        yield
    finally:
        halves[0].effective = before
        assert not libc.capset(ctypes.byref(header), halves)
