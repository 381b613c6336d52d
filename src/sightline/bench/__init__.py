"""The benchmarks behind every published number."""
