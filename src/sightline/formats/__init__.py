"""Text formats of the field that more than one part of Sightline reads or writes."""
