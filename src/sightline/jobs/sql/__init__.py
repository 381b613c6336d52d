"""The database of the job service: its tables, how they came to be, and rows as values."""

__all__: list[str] = []
