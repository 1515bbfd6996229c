import dataclasses
import json
import os

import pytest

from tfmot_onexn.tvm import tiles, tuning_database
from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.epilogue import Clip
from tfmot_onexn.tvm.kernels.pointwise import Softmax
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.tuning_database import Choice

KERNEL = Product((1, 14, 14, 64), 384, 16, 768)
KEY = "product 196x384>64 n16 1/2"
CODE = tuning_database.fingerprint(KERNEL, tiles.AVX512)
CHOICE = Choice({"most_pixels": 14}, 10.0, 8.0, 1.25, CODE)
ORIGIN = {"machine": "a machine", "tvm": "0.27"}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tuned.json"
    tuning_database.write(path, "avx512", {KEY: CHOICE}, **ORIGIN)
    return path


def changed(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (KERNEL, KEY),
        (dataclasses.replace(KERNEL, steps=(Clip(0.0, 6.0),)), KEY),
        (dataclasses.replace(KERNEL, blocks=700), KEY),
        (dataclasses.replace(KERNEL, blocks=400), "product 196x384>64 n16 1/4"),
        (dataclasses.replace(KERNEL, blocks=1536), "product 196x384>64 n16 1/1"),
        (dataclasses.replace(KERNEL, blocks=1), "product 196x384>64 n16 1/8"),
        (Product((1, 64), 10, 8, 80), "product 1x10>64 n8 1/1"),
        (
            dataclasses.replace(KERNEL, x_pitch=400),
            "product 196x384>64 n16 1/2 pitch 400>0",
        ),
        (
            Depthwise(Window(1, 9, 8, (3, 3)), 24, y_pitch=32),
            "depthwise 1x9x8 3x3 24 pitch 0>32",
        ),
        (
            Convolution(Window(1, 9, 8, (3, 3), (2, 2)), 32, 3, 16, 6),
            "convolution 1x9x8 3x3 s2x2 3>32 n16 1/1",
        ),
        (
            Depthwise(
                Window(1, 9, 8, (3, 3), dilation=(2, 2), padding=(0, 1, 2, 3)), 24
            ),
            "depthwise 1x9x8 3x3 d2x2 p0,1,2,3 24",
        ),
        (Softmax((1, 10)), None),
    ],
)
def test_signatures(kernel, expected):
    assert tuning_database.signature(kernel) == expected


def test_what_is_written_is_read(path):
    database = tuning_database.load(path)
    assert database.entries == {"avx512": {KEY: CHOICE}}
    assert database.origins["avx512", KEY] == ORIGIN
    assert os.listdir(path.parent) == [path.name]


def test_choices_are_added_to_a_file(path):
    better = Choice({}, 9.0, 9.0, 1.0, CODE)
    other = Choice({"transposes": True}, 4.0, 2.0, 2.0, "other")
    for isa, choices in (
        ("avx512", {KEY: better, "more": other}),
        ("avx2", {KEY: other}),
    ):
        tuning_database.write(path, isa, choices, machine="another", tvm="0.28")
    database = tuning_database.load(path)
    assert database.entries == {
        "avx2": {KEY: other},
        "avx512": {KEY: better, "more": other},
    }
    assert database.origins["avx512", KEY]["machine"] == "another"


def test_the_first_database_that_knows_a_kernel_chooses(path, tmp_path):
    second = tmp_path / "second.json"
    worse = Choice({"most_pixels": 7}, 1.0, 1.0, 1.0, CODE)
    in_second = Product((1, 9, 1, 8), 4, 8, 4)
    code = tuning_database.fingerprint(in_second, tiles.AVX512)
    known = {
        KEY: worse,
        "product 9x4>8 n8 1/1": dataclasses.replace(CHOICE, code=code),
    }
    tuning_database.write(second, "avx512", known, **ORIGIN)
    loaded = [tuning_database.load(each) for each in (path, second)]
    choose = tuning_database.Chooser(tiles.AVX512, loaded)
    assert choose(KERNEL) == dataclasses.replace(tiles.AVX512, most_pixels=14)
    assert choose(in_second).most_pixels == 14
    for unknown in (dataclasses.replace(KERNEL, n=8), Softmax((1, 10))):
        assert choose(unknown) == tiles.AVX512
    elsewhere = tuning_database.Chooser(tiles.AVX2, loaded)
    assert elsewhere(KERNEL) == tiles.AVX2


def test_what_was_tuned_for_other_code_is_not_taken(path, tmp_path):
    stale = tmp_path / "stale.json"
    was = Choice({"most_pixels": 7}, 2.0, 1.0, 2.0, "0" * 16)
    tuning_database.write(stale, "avx512", {KEY: was}, **ORIGIN)
    old, new = (tuning_database.load(each) for each in (stale, path))
    alone = tuning_database.Chooser(tiles.AVX512, [old])
    assert alone(KERNEL) == tiles.AVX512
    assert alone.stale == [KEY]
    for order, told in (([old, new], [KEY]), ([new, old], [])):
        both = tuning_database.Chooser(tiles.AVX512, order)
        assert both(KERNEL).most_pixels == 14
        assert both.stale == told


def test_fingerprints_tell_code_and_not_more():
    found = tuning_database.fingerprint(KERNEL, tiles.AVX512)
    for same in ({"blocks": 700}, {"steps": (Clip(0.0, 6.0),)}):
        other = dataclasses.replace(KERNEL, **same)
        assert tuning_database.fingerprint(other, tiles.AVX512) == found
    tuned = dataclasses.replace(tiles.AVX512, most_pixels=3)
    assert tuning_database.fingerprint(KERNEL, tuned) != found
    wider = dataclasses.replace(KERNEL, columns=400)
    assert tuning_database.fingerprint(wider, tiles.AVX512) != found


def test_changes_are_what_differs():
    other = dataclasses.replace(tiles.AVX2, most_pixels=3, transposes=False)
    assert tuning_database.changes(other, tiles.AVX2) == {
        "most_pixels": 3,
        "transposes": False,
    }
    assert tuning_database.changes(tiles.AVX2, tiles.AVX2) == {}


def test_what_is_shipped_names_tiles_of_known_processors():
    entries = tuning_database.shipped().entries
    assert set(entries) <= set(tiles.ISAS)
    for isa, choices in entries.items():
        own = tiles.ISAS[isa]
        for choice in choices.values():
            assert choice.gain >= 1.03
            assert choice.applied(own) != own
            assert choice.applied(own).lanes <= own.lanes


def entry(document):
    return document["entries"]["avx512"][KEY]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.update(kind="rows"), "is no tuning database: its kind"),
        (
            lambda found: found.update(schema=7),
            "has schema 7, expected 1; write it anew",
        ),
        (lambda found: found.update(entries=[]), "an entry is damaged"),
        (lambda found: entry(found).pop("gain"), "an entry is damaged: 'gain'"),
        (lambda found: entry(found)["tile"].update(registers=99), "has no 'registers'"),
        (lambda found: entry(found)["tile"].update(lanes=5), "lanes is 5"),
        (lambda found: entry(found)["tile"].update(most_pixels=True), "is True"),
        (lambda found: entry(found)["tile"].update(transposes=1), "transposes is 1"),
        (lambda found: entry(found)["tile"].update(depthwise="7"), "depthwise is '7'"),
        (lambda found: entry(found).update(gain="fast"), "an entry is damaged"),
    ],
)
def test_a_foreign_or_damaged_database_is_refused_and_stays(path, change, message):
    changed(path, change)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        tuning_database.load(path)
    with pytest.raises(ValueError, match=message):
        tuning_database.write(path, "avx512", {KEY: CHOICE}, **ORIGIN)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"f\.json is no tuning database: it is no JSON. Name a file that"),
        (b"\xff\xfe", "is no tuning database: it is no JSON"),
        (b"[]", "is no tuning database: its kind"),
    ],
)
def test_what_is_no_json_is_refused(tmp_path, content, message):
    path = tmp_path / "f.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tuning_database.load(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"Cannot read .*none\.json: No such file"):
        tuning_database.load(tmp_path / "none.json")
