"""Run single runs from the command line."""
