"""Images with masks whose colours stand for classes, by a table."""

from pixelwise.data.convert.classes.color_tables import find_color_table
from pixelwise.data.convert.classes.mapping import class_ids_of
from pixelwise.data.convert.classes.survey import survey
from pixelwise.data.convert.classes.tables import color_meaning, require_count, unnamed_colors
from pixelwise.data.convert.conversion import Conversion, Options
from pixelwise.data.convert.matching.fitting import ClassIds, fitted_items
from pixelwise.data.convert.matching.pairing import Match, find_matches, single_masks
from pixelwise.data.convert.source import Source
from pixelwise.data.masks.decoding import decode


def read(source: Source, options: Options) -> Conversion:
    """Read folders of images and of RGB, RGBA or palette masks, found by their names or by patterns.

    The colours are those of `--classes`, else of a table in the source (classes.json, class_dict.csv, labelmap.txt,
    label_colors.txt). An entry of id 255 says which colours are ignored.

    Raises:
        SettingsError: a pattern cannot be used, or the table has not `num_classes` classes.
        DataError: no image meets its mask, or a colour has no class.
    """
    matches, notes = find_matches(source, options)
    masks = single_masks(matches, source)
    seen = survey(list(masks.values()), lambda name: decode(source.read(name), name).colors())
    labels = options.classes
    if labels is None:
        found = find_color_table(source)
        if found is None:
            raise unnamed_colors(seen, source.path)
        labels = found[1]
        notes.append(f"Names and colours of the classes come from {found[0]}.")
    meaning = color_meaning(seen, require_count(labels, options), source.path)

    def ids_of(match: Match) -> ClassIds:
        name = masks[match.image]
        return class_ids_of(decode(source.read(name), name).colors(), meaning.ids, name)

    items, scaled = fitted_items(matches, source, ids_of)
    return Conversion(meaning.labels, items, (*notes, *scaled))
