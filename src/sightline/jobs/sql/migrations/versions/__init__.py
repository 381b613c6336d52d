"""One module per version of the tables."""

__all__: list[str] = []
