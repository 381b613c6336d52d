"""Sphinx configuration; build with `make docs`."""

from sightline.version import __version__

project = "Sightline"
author = "The Sightline authors"
copyright = "The Sightline authors, Apache-2.0"  # noqa: A001 - Sphinx's name
release = __version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_click",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
html_theme = "furo"
html_title = "Sightline"
exclude_patterns = ["_build"]
nitpicky = False
