"""The menu of foreign layouts."""

from collections.abc import Callable
from importlib import import_module

from pixelwise.data.convert.conversion import Conversion, Format, Options
from pixelwise.data.convert.source import Source
from pixelwise.values import unknown_name


def _late(module: str, name: str = "read") -> Callable[[Source, Options], Conversion]:
    """A function of a module of `formats`, imported when it is called: some read through optional packages."""

    def read(source: Source, options: Options) -> Conversion:
        conversion: Conversion = getattr(import_module(f"pixelwise.data.convert.formats.{module}"), name)(
            source, options
        )
        return conversion

    return read


_PATTERNS = ("images", "masks")

FORMATS: dict[str, Format] = {
    "voc": Format(_late("voc.reader"), "PASCAL VOC: JPEGImages, SegmentationClass, ImageSets/Segmentation"),
    "cityscapes": Format(_late("cityscapes"), "Cityscapes: leftImg8bit and gtFine with labelIds or labelTrainIds"),
    "ade20k": Format(_late("ade20k.benchmark"), "ADE20K: the 150-class benchmark, or the full release with --classes"),
    "coco": Format(
        _late("coco.reader"), "COCO: panoptic PNG and JSON, or instances and stuff JSON (polygons, RLE)", _PATTERNS
    ),
    "cihp": Format(_late("human_parsing", "read_cihp"), "CIHP human parsing: Images and Category_ids, 20 classes"),
    "lip": Format(_late("human_parsing", "read_lip"), "LIP human parsing: images and segmentations, 20 classes"),
    "camvid": Format(_late("camvid"), "CamVid: the original 32 colours or SegNet's 11 classes"),
    "ground-truth": Format(
        _late("ground_truth.reader"),
        "SageMaker Ground Truth: an output manifest with internal-color-map",
        ("attribute",),
    ),
    "cvat": Format(_late("cvat.reader"), "CVAT: an archive of segmentation masks with labelmap.txt, or XML for images"),
    "labelme": Format(_late("labelme.reader"), "LabelMe: a JSON file of polygons for each image"),
    "yolo": Format(_late("yolo.reader"), "YOLO segmentation: images, labels of outlines as .txt, data.yaml"),
    "via": Format(
        _late("via.reader"), "VGG Image Annotator: a project or annotations as JSON, with images", ("attribute",)
    ),
    "supervisely": Format(_late("supervisely.reader"), "Supervisely: meta.json and datasets of img and ann"),
    "label-studio": Format(
        _late("label_studio.reader"),
        "Label Studio: the exports JSON and JSON-MIN (polygons, brushes, boxes), with images",
    ),
    "color-masks": Format(_late("color_masks"), "images and RGB masks; --classes gives the colours", _PATTERNS),
    "binary-masks": Format(_late("binary_masks"), "one black and white mask for each class or each object", _PATTERNS),
    "mat": Format(_late("mat"), "MATLAB .mat label maps", (*_PATTERNS, "attribute")),
    "id-masks": Format(_late("id_masks"), "masks of class ids as PNG, GIF, TIFF, BMP or .npy", _PATTERNS),
    "hf": Format(
        _late("hugging_face.reader"),
        "datasets of Hugging Face: saved to disk, parquet files, or OWNER/NAME; patterns are names of columns",
        _PATTERNS,
        by_name=True,
    ),
    "rle-csv": Format(
        _late("run_lengths.reader"),
        "run lengths in CSV, as Kaggle has them: ImageId, EncodedPixels, ClassId",
        _PATTERNS,
    ),
}

_TOOLS: dict[str, tuple[str, ...]] = {
    "ultralytics": ("yolo",),
    "yolo": ("yolo",),
    "darknet": ("yolo",),
    "roboflow": ("coco", "yolo", "id-masks"),
    "vgg": ("via",),
    "pascal": ("voc",),
    "sagemaker": ("ground-truth",),
    "matlab": ("mat",),
    "nnunet": ("id-masks",),
    "mmseg": ("id-masks",),
    "datumaro": ("coco", "voc"),
    "labelbox": ("coco",),
    "makesense": ("coco", "via"),
    "mscoco": ("coco",),
}
"""Tools and names that people ask for: {how the name begins, letters and digits alone: the formats that they write}."""


def unknown_format(name: str) -> str:
    """A sentence that refuses `name` and offers the formats that a tool of this name writes, or the nearest name."""
    plain = "".join(filter(str.isalnum, name.lower()))
    read = next((formats for tool, formats in _TOOLS.items() if plain.startswith(tool)), None)
    if read is None:
        return unknown_name(name, FORMATS, "format")
    known = ", ".join(sorted(FORMATS))
    return f"Unknown format {name!r}. Its files are read by {' or '.join(map(repr, read))}. Known: {known}."
