"""Serve the operations of the API, one module for each kind of thing."""

__all__: list[str] = []
