"""What a check can find: every finding has a stable code, and the code says how grave it is."""

from pathlib import Path
from typing import NamedTuple

from pixelwise.errors import DataError

Box = tuple[int, int, int, int]


class Code(NamedTuple):
    """How grave a kind of finding is, and what it means.

    A *fault* stops training or makes it wrong; a *warning* makes the model worse; a *fact* is worth knowing.
    """

    severity: str
    meaning: str


CODES = {
    # folders and names
    "empty-channel": Code("fault", "a folder holds no images"),
    "image-without-mask": Code("fault", "an image has no mask of its name"),
    "mask-without-image": Code("fault", "a mask has no image of its name"),
    "duplicate-stem": Code("fault", "two files of a folder have one name apart from the suffix"),
    "name-case": Code("warning", "two names differ only in case, which some file systems cannot keep apart"),
    "nested-annotations": Code("warning", "a folder of masks lies inside a folder of images, as a prefix copy brings"),
    "stray-file": Code("warning", "a file of a type that is not read lies among the images"),
    "link-outside": Code("warning", "a symbolic link leads out of the dataset"),
    "link-broken": Code("fault", "a symbolic link leads nowhere"),
    "classes-file": Code("fault", "the file of class names cannot be used, or two contradict each other"),
    "classes-differ": Code("warning", "a second file of class names contradicts classes.json, which counts"),
    "manifest": Code("fault", "a line of a manifest cannot be used"),
    # any file
    "empty-file": Code("fault", "a file has no bytes"),
    "truncated-file": Code("fault", "a file ends before its picture does"),
    "unreadable-file": Code("fault", "a file is not an image or is damaged"),
    "decompression-bomb": Code("fault", "a picture is larger than can be decoded safely"),
    # images
    "image-cmyk": Code("warning", "an image has the colours of print; they are converted without a profile"),
    "image-alpha": Code("warning", "an image has transparency, which is dropped"),
    "image-animated": Code("warning", "an image has several frames, of which the first is taken"),
    "image-16-bit": Code("warning", "an image has more than 8 bits a channel, which are reduced to 8"),
    "image-depth": Code("fault", "an image has values of another type than the others, or than the model takes"),
    "image-bands": Code("fault", "an image has other bands than the others, or than the model takes"),
    "image-not-finite": Code("warning", "an image has values that are no numbers"),
    "value-range": Code("warning", "many values lie outside the value range and become its ends"),
    "image-small": Code("warning", "an image is far smaller than the crop, so that most of the crop is padding"),
    # image and mask
    "size-exif": Code("fault", "a mask does not follow its image's EXIF orientation"),
    "size-rotated": Code("fault", "a mask has its image's size with the sides exchanged"),
    "size-scaled": Code("fault", "a mask has its image's proportions at another scale"),
    "size-mismatch": Code("fault", "a mask and its image have unrelated sizes"),
    # masks
    "mask-colors": Code("fault", "a mask holds a few colours in place of class ids"),
    "mask-rgb": Code("fault", "a mask is a colour picture of many colours, as smoothing or JPEG leaves it"),
    "mask-lossy": Code("fault", "a mask is saved in a format that changes values (JPEG, WebP)"),
    "mask-smoothed": Code("fault", "a mask has stray values where regions meet, as resizing with smoothing leaves it"),
    "mask-format": Code("fault", "a mask is saved in another format than PNG"),
    "mask-16-bit": Code("fault", "a mask has 16 bits a pixel"),
    "mask-1-bit": Code("warning", "a mask has 1 bit a pixel, read here as 0 and 1 and by others as 0 and 255"),
    "mask-palettes": Code(
        "fault", "the palettes of the masks contradict each other, so that indices may be no class ids"
    ),
    "mask-0-255": Code("fault", "the object is drawn as 255, which means ignored"),
    "mask-spread-gray": Code("fault", "the classes are drawn as evenly spread grays up to 255, which means ignored"),
    "id-out-of-range": Code("fault", "a mask has values that are no class id"),
    "ids-with-gaps": Code("warning", "the class ids have gaps, so that the model would have classes without pixels"),
    "values-ignored": Code("warning", "the label map does not list values that occur; they are ignored"),
    "nothing-labelled": Code("fault", "no pixel of a split's masks has a class"),
    "one-class": Code("fault", "all labelled pixels of the training masks have one class"),
    "mask-mostly-ignored": Code("warning", "more than half of a mask is ignored"),
    "mask-one-class": Code("warning", "a mask is one class throughout"),
    # classes
    "class-absent": Code("warning", "no training mask has the class"),
    "class-only-in-validation": Code("warning", "a class occurs in validation and not in training"),
    "class-imbalance": Code("warning", "the largest class has more than ten times the pixels of the smallest"),
    # images of two splits
    "duplicate-across-splits": Code("warning", "the same picture is in two splits"),
    "near-duplicate-across-splits": Code("warning", "nearly the same picture is in two splits"),
    "video-neighbours": Code("fact", "neighbouring frames of a video are in two splits, so that scores are optimistic"),
}


class Finding(NamedTuple):
    """One finding: which file, what was found, what was expected, what to do."""

    file: Path
    found: str
    expected: str
    remedy: str
    code: str
    place: Box | None = None  # (left, top, right, bottom) of the fault, in the mask's pixels
    other: Path | None = None  # the second file that the finding is about

    @property
    def severity(self) -> str:
        """How grave it is: "fault", "warning" or "fact"."""
        return CODES[self.code].severity

    def __str__(self) -> str:
        """The finding as one line."""
        return f"{self.file}: {self.found}. Expected {self.expected}. {self.remedy}"


class FileFault(DataError):
    """A file that cannot be used; `finding` has the parts of the message."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding
