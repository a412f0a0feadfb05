import numpy as np
import pytest

from pixelwise.data.bands import PHOTOGRAPH, Bands, ImageKind, chosen_bands, fitted
from pixelwise.errors import DataError, SettingsError
from pixelwise.settings import Settings

FIVE = ImageKind("uint16", 5, False)


def samples(*bands):
    return np.array(bands, dtype=np.float32)


def test_photographs_are_from_0_to_255_whatever_their_pixels():
    bands = chosen_bands(ImageKind.of_photograph(), Settings())
    assert fitted(bands, Settings(), samples([7, 9], [7, 9], [7, 9]), []) == PHOTOGRAPH
    assert PHOTOGRAPH.is_photograph
    assert not PHOTOGRAPH.saturates


def test_a_band_of_16_bits_is_from_its_half_percentile_to_its_99_and_a_half():
    # Of the numbers 0 to 1000 the 0.5th percentile is 5 and the 99.5th is 995.
    ramp = np.arange(1001, dtype=np.float32)
    bands = fitted(chosen_bands(ImageKind("uint16", 2, False), Settings()), Settings(), samples(ramp, 2 * ramp), [])
    assert bands.ranges == ((5, 995), (10, 1990))
    assert bands.saturates


def test_a_range_of_whole_numbers_ends_in_whole_numbers_outside_and_one_of_floats_as_it_falls():
    ramp = np.arange(101, dtype=np.float32)  # percentiles 0.5 and 99.5
    whole = fitted(chosen_bands(ImageKind("int16", 1, False), Settings()), Settings(), samples(ramp), [])
    broken = fitted(chosen_bands(ImageKind("float32", 1, False), Settings()), Settings(), samples(ramp), [])
    assert whole.ranges == ((0, 100),)
    assert broken.ranges == ((0.5, 99.5),)


def test_a_band_of_one_value_has_a_range_all_the_same():
    bands = fitted(chosen_bands(ImageKind("uint16", 1, False), Settings()), Settings(), samples([7, 7]), [])
    assert bands.ranges == ((7, 8),)


def test_bands_are_chosen_and_ordered_with_their_ranges():
    ramp = np.arange(1001, dtype=np.float32)
    settings = Settings(bands=(4, 2))
    all_five = samples(*(band * ramp for band in range(1, 6)))
    bands = fitted(chosen_bands(FIVE, settings), settings, all_five, [])
    assert bands.chosen == (4, 2)
    assert bands.ranges == ((20, 3980), (10, 1990))


def test_a_band_that_no_file_has_is_refused():
    with pytest.raises(SettingsError, match=r"bands is 4,6, but the images have 5 bands. Give numbers from 1 to 5"):
        chosen_bands(FIVE, Settings(bands=(4, 6)))


def test_a_value_range_holds_for_all_bands_or_for_each():
    bands = chosen_bands(ImageKind("uint16", 2, False), Settings())
    assert fitted(bands, Settings(value_range=(0, 4095)), None, []).ranges == ((0, 4095), (0, 4095))
    assert fitted(bands, Settings(value_range=(0, 1, 5, 9)), None, []).ranges == ((0, 1), (5, 9))
    with pytest.raises(SettingsError, match="has 6 numbers, expected 2, or 4 for the 2 bands"):
        fitted(bands, Settings(value_range=(0, 1, 5, 9, 2, 3)), None, [])


def test_the_files_may_say_their_range():
    bands = chosen_bands(ImageKind("uint16", 2, False), Settings())
    wanted = Settings(value_range="file")
    assert fitted(bands, wanted, None, [(0.0, 4095.0)] * 3).ranges == ((0, 4095), (0, 4095))
    with pytest.raises(SettingsError, match="but the files say nothing"):
        fitted(bands, wanted, None, [None])
    with pytest.raises(SettingsError, match="the files say 0 to 1023, 0 to 4095"):
        fitted(bands, wanted, None, [(0.0, 4095.0), (0.0, 1023.0)])
    with pytest.raises(SettingsError, match="the files say 0 to 4095 and some nothing"):
        fitted(bands, wanted, None, [(0.0, 4095.0), None])


@pytest.mark.parametrize(
    "values",
    [
        {"bands": (0, 1)},
        {"bands": tuple(range(1, 18))},
        {"value_range": (1, 1)},
        {"value_range": (5,)},
        {"value_range": (0, float("nan"))},
        {"value_range": "dat"},
        {"bands": "red"},
    ],
)
def test_settings_that_are_no_bands_or_no_range_are_refused(values):
    with pytest.raises(SettingsError, match=next(iter(values))):
        Settings(**values)


def test_bands_go_through_json():
    bands = Bands("int16", 7, (7, 1), ((-3.0, 8.5), (0.0, 1.0)), False)
    assert Bands.from_json(bands.to_json(), source="model.json") == bands


@pytest.mark.parametrize(
    "change",
    [
        {"depth": "uint64"}, {"chosen": [0]}, {"chosen": [4]}, {"chosen": []}, {"chosen": None}, {"in_file": 17},
        {"ranges": [[0, 1]]}, {"ranges": [[1, 1]] * 3}, {"ranges": [[0, float("inf")]] * 3}, {"ranges": "wide"},
    ],
)  # fmt: skip
def test_damaged_json_is_refused(change):
    with pytest.raises(DataError, match=r"model\.json: 'bands' is"):
        Bands.from_json({**PHOTOGRAPH.to_json(), **change}, source="model.json")
