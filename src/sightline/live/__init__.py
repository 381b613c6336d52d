"""Watching streams while they run: in a browser, in a window."""
