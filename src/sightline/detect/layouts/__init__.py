"""What the outputs of a detection model mean: one head per layout, and how to tell them apart."""
