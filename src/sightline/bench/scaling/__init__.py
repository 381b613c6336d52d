"""How a job service scales: a model of its parts, and measurements to feed and check it."""
