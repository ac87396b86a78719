"""Run many runs from one command: composed once each, checked together, launched together."""
