"""What notebooks draw with: masks as pictures, panels, and every figure of a run and an evaluation."""

from pixelwise.inference.render import error_map, mask_image, overlay, panel
from pixelwise.report import figures
from pixelwise.report.figures import *  # noqa: F403  # their names are listed there
from pixelwise.report.run.learning.diagnosis import diagnose
from pixelwise.report.run.viewer.panels import make_panel

__all__ = ["diagnose", "error_map", "make_panel", "mask_image", "overlay", "panel"]
__all__ += figures.__all__
__all__.sort()
