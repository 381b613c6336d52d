"""The job service over HTTP: interface, events, keys, web page. It owns no work of its own."""

__all__: list[str] = []
