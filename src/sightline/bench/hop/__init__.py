"""The benchmark of a hop: images from a source through a handler to a sink, three processes.

A side is a function `(load: HopLoad) -> HopResult`. Sightline's own is `sightline_graph`; the
opponents are `pickle_push_pull`, `openfilter` and `bare_ring`.
"""
