"""How Sphinx builds these pages: MyST Markdown, the furo theme, nothing from the network."""

project = "Pixelwise"
author = "the Pixelwise authors"
project_copyright = author
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_heading_anchors = 3  # links such as metrics.md#iou
nitpicky = True
highlight_language = "text"  # blocks without a language are formulas and output, not Python

html_theme = "furo"
html_title = "Pixelwise"
html_show_sourcelink = False
html_copy_source = False
