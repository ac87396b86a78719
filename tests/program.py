"""Execute the program that is the first argument, with the others as its own, as `python -c` does."""

import sys

if __name__ == "__main__":
    _, program, *arguments = sys.argv
    sys.argv = ["-c", *arguments]
    exec(program, {"__name__": "__main__"})
