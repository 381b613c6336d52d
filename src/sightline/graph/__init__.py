"""The real-time graph: a pipeline over many processes and machines."""
