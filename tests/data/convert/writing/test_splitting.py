"""Train and validation from one pool: every class in both as far as it goes, the same for every order of files."""

import random

import pytest

from pixelwise.data.convert.writing.splitting import Unit, divide, stratified
from pixelwise.errors import DataError


def units(*classes: set[int], split=None) -> list[Unit]:
    return [Unit(f"image{i:03}", split, frozenset(ids)) for i, ids in enumerate(classes)]


def chosen(pool: list[Unit], share=0.2, seed=0) -> set[str]:
    held = stratified(pool, validation_share=share, seed=seed)
    return {unit.name for unit, is_held in zip(pool, held, strict=True) if is_held}


def test_each_class_keeps_its_share():
    # 100 images: all have class 0, every second class 1, every tenth class 2.
    pool = units(*({0} | ({1} if i % 2 else set()) | ({2} if i % 10 == 0 else set()) for i in range(100)))
    held = chosen(pool)
    assert len(held) == 20
    assert sum(1 in unit.classes for unit in pool if unit.name in held) == 10
    assert sum(2 in unit.classes for unit in pool if unit.name in held) == 2


def test_the_order_of_files_does_not_matter_and_the_seed_does():
    pool = units(*({i % 3, i % 7} for i in range(60)))
    shuffled = random.Random(1).sample(pool, len(pool))
    assert chosen(pool) == chosen(shuffled)
    assert chosen(pool) != chosen(pool, seed=1)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("seed", range(5))
def test_every_class_is_in_train_and_both_parts_have_an_image(share, seed):
    generator = random.Random(seed)
    pool = units(*({generator.randrange(8), generator.randrange(30)} for _ in range(20)))
    held = chosen(pool, share, seed)
    in_train = set().union(*(unit.classes for unit in pool if unit.name not in held))
    several = {i for i in range(30) if sum(i in unit.classes for unit in pool) >= 2}
    assert several <= in_train
    assert 1 <= len(held) < len(pool)


def test_two_images_are_one_each_and_the_richer_trains():
    assert chosen(units({0, 1, 2}, {0})) == {"image001"}


def test_images_without_any_class_are_divided_too():
    assert len(chosen(units(*(set() for _ in range(10))))) == 2


def test_splits_of_the_source_stand():
    pool = [*units({0}, {1}, split="validation"), *units({0}, split="train")]
    assert divide(pool, validation_share=0.2, seed=0) == (["validation", "validation", "train"], [])


def test_validation_comes_from_train_where_the_source_has_none():
    pool = [*units(*({0},) * 5, split="train"), *units({0}, {0}, split="test")]
    splits, notes = divide(pool, validation_share=0.2, seed=0)
    assert sorted(splits) == ["test"] * 2 + ["train"] * 4 + ["validation"]
    assert notes == [
        "The source has no validation images: 1 of its 5 train images became validation, stratified by class with "
        "seed 0."
    ]


def test_a_single_image_cannot_be_divided():
    with pytest.raises(DataError, match="has 1 convertible image to divide, expected at least 2"):
        divide(units({0}), validation_share=0.2, seed=0)
