"""Images with masks whose values are numbers: PNG, GIF, TIFF or BMP of one channel, or NumPy arrays."""

from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.classes.survey import survey
from pixelwise.data.convert.classes.tables import given_table, value_meaning
from pixelwise.data.convert.conversion import Conversion, Options
from pixelwise.data.convert.matching.fitting import ClassIds, fitted_items
from pixelwise.data.convert.matching.pairing import Match, find_matches, single_masks
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode


def read(source: Source, options: Options) -> Conversion:
    """Read folders of images and masks, found by their names or by the patterns in `options`.

    Values are class ids, or what the `source` entries of the table say; 0/255 masks become 0/1. The table is that of
    `--classes`, else of a file in the source (see `found_table`); ids from 0 on without gaps need none.

    Raises:
        SettingsError: a pattern cannot be used, or `--classes` and `--num-classes` disagree.
        DataError: no image meets its mask, or the classes of some values are not given.
    """
    matches, notes = find_matches(source, options)
    masks = single_masks(matches, source)
    seen = survey(list(masks.values()), lambda name: decode(source.read(name), name).values())
    given = given_table(source, options)
    meaning = value_meaning(seen, given.labels, options.num_classes, source.path)

    def ids_of(match: Match) -> ClassIds:
        name = masks[match.image]
        return class_ids_of(decode(source.read(name), name).values(), meaning.ids, name)

    items, scaled = fitted_items(matches, source, ids_of)
    return Conversion(meaning.labels, items, (*notes, *given.notes, *meaning.notes, *scaled))
