"""Spread a sweep over engines in several processes; one coordinator keeps the ledger, the budget and the limits."""
