"""The local server behind `python -m runner view`: pages, their media, and what people judge."""
