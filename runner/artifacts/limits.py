"""What files of any kind are refused for."""

TOO_LARGE = "too_large"
"""The error's code for a file beyond what anything generates: asking for it again is of no use."""
