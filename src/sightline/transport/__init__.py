"""Between processes: the wire format, shared-memory slots, links. It knows no pipeline."""
