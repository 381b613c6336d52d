"""Public fakes for the replaceable seams."""
