"""`python -m runner` and the console script `runner`."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading


def main() -> None:
    """Run the command line and exit with its code."""
    # Imports and composing allocate what stays: looking for garbage in it would be a tenth of start-up.
    gc.disable()
    # Whether anything observes pydantic, it would look up in every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    from runner.app import run  # after the interpreter has found us: `--help` must stay quick
    from runner.cli.sdk_types import import_types_when_asked
    from runner.display.reader import open_streams

    open_streams()
    import_types_when_asked()
    try:
        code = run(sys.argv[1:])
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    _leave(code)


def _leave(code: int) -> None:
    """End at once: taking apart every module and object would be a twentieth of what an error or help takes."""
    gc.freeze()  # if it is done nonetheless, the interpreter would look through everything twice
    if threading.active_count() > 1 or sys.gettrace() or sys.getprofile():
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - what the interpreter does first; nothing public does it
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # as where a shell has closed it
                stream.flush()
    except (OSError, ValueError):
        sys.exit(code)  # with the interpreter's own complaint
    os._exit(code)


if __name__ == "__main__":
    main()
