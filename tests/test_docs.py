"""The pages: their code runs, and what is made from the code is complete."""

import importlib
import pathlib
import re
import xml.etree.ElementTree

import pytest

import tfmot_onexn

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
WITH_CODE = sorted(
    page.name for page in DOCS.glob("*.md") if "```python\n" in page.read_text()
)


@pytest.fixture
def generator(monkeypatch):
    """Imports the modules that make pages."""
    monkeypatch.syspath_prepend(str(DOCS / "generate"))
    return importlib.import_module


def test_some_pages_have_code():
    assert {"guide.md", "migrating.md", "choosing.md"} <= set(WITH_CODE)


@pytest.mark.slow
@pytest.mark.usefixtures("short_search")
@pytest.mark.parametrize("name", WITH_CODE)
def test_the_code_of_a_page_runs(generator, name):
    generator("code_blocks").run((DOCS / name).read_text(), name)


def test_blocks_share_a_namespace_and_show_what_they_print(generator):
    page = "```python\nx = 2\n```\ntext\n```python\nprint(x + 1)\n```\nmore\n"
    shown = generator("code_blocks").with_outputs(page, "page.md")
    assert shown.count("title=") == 1
    fence = '```text title="prints"'
    assert shown.endswith(f"print(x + 1)\n```\n\n{fence}\n3\n```\nmore\n")


def test_a_failing_block_names_its_page_and_line(generator):
    with pytest.raises(ZeroDivisionError) as raised:
        generator("code_blocks").run("title\n\n```python\n1 / 0\n```\n", "page.md")
    last = raised.traceback[-1]
    assert (str(last.path).endswith("page.md"), last.lineno + 1) == (True, 4)


def test_the_reference_has_every_public_name():
    text = "".join(page.read_text() for page in (DOCS / "api").glob("*.md"))
    documented = {
        path.rsplit(".", 1)[1] for path in re.findall(r"^::: (\S+)$", text, re.M)
    }
    assert documented >= set(tfmot_onexn.__all__)


def test_the_page_of_layers_has_every_rule(generator):
    from tfmot_onexn.graph import rules

    supported = generator("supported_layers")
    text = supported.rule_tables()
    missing = {kind for kind in rules.RULES if f"`{kind.__name__}`" not in text}
    assert not missing
    convolution = rules.kernels.convolution.__doc__.split("\n")[0]
    assert f"| `Conv1D`, `Conv2D`, `Conv3D` | {convolution} |" in text
    assert re.search(r"### Layers that make channels.*\n\n\| layer", text)
    assert "`LSTM`" in supported.without_rule()
    assert "`Conv2D`" not in supported.without_rule()


def test_the_page_of_layers_has_what_is_pruned(generator):
    supported = generator("supported_layers")
    assert "| `SeparableConv2D` | `pointwise_kernel` |" in supported.prunable_table()
    single, never = supported.single_weights_table().split("Never pruned")
    assert "| `GRUCell` | `kernel`, `recurrent_kernel` |" in single
    assert "`DepthwiseConv2D`" in never
    assert "`Conv2DTranspose`" not in never
    assert "| `PruneAll` | Prunes every layer" in supported.policy_table()


def test_the_page_of_runtimes_has_every_rule(generator):
    from tfmot_onexn.tflite import constraints

    text = generator("runtime_rules").tables()
    assert text.count("\n| ") == sum(
        len(rules) + 2 for rules in constraints.RULES.values()
    )
    assert "| dense | Sparse inference starts above two thirds of zeros" in text
    assert "{" not in text


def test_the_page_of_the_delegate_has_every_option_and_target():
    from ai_edge_litert.interpreter import load_delegate

    from tfmot_onexn import targets
    from tfmot_onexn.tflite import delegate

    text = (DOCS / "delegate.md").read_text()
    with pytest.raises(ValueError, match="there are") as raised:
        delegate.load(load_delegate, options={"none": 1})
    options = str(raised.value).split("there are ")[1].replace(" and ", ", ")
    assert len(options.split(", ")) >= 5
    for option in options.split(", "):
        assert f"| `{option}` |" in text
    for name in targets.NAMES:
        assert f"`{name}`" in text


def test_the_page_of_tvm_has_every_target_and_what_the_extra_brings():
    from tfmot_onexn import targets
    from tfmot_onexn.tvm import extra

    text = (DOCS / "tvm.md").read_text()
    for name in targets.NAMES:
        assert f"| `{name}` |" in text
    assert extra.INSTALL in text
    for version in extra._VERSIONS.values():
        assert version in text


def test_the_page_of_destinations_has_every_device_and_foreign_target():
    from tfmot_onexn import targets
    from tfmot_onexn.benchmark.devices import names

    text = (DOCS / "deploy.md").read_text()
    for spelling in names.SPELLINGS:
        kind = re.split(r"[\[:]", spelling)[0]
        assert kind == names.LOCAL or f"--device {kind}" in text, kind
    for name in targets.TARGETS:
        assert name == "x86-64-v4" or f"--target {name}" in text, name


def test_the_command_line_page_has_every_argument(generator):
    from tfmot_onexn import cli

    text = generator("command_line").reference()
    for command in cli._COMMANDS:
        name = command.__name__.rsplit(".", 1)[1]
        assert f"## `onexn {name}`" in text
    assert "| `--n` | output channels per block; default `4` |" in text
    assert "| `-o`, `--output` | required |" in text
    assert "If MODEL is a network by name:\n\n| argument |" in text
    for option in (
        "--float16",
        "--quick",
        "--json",
        "--uniform",
        "--threads",
        "--target",
    ):
        assert f"| `{option}` |" in text


@pytest.mark.slow
def test_pictures_are_drawn_for_both_backgrounds(generator):
    drawing, kernels, groups = map(
        generator, ("drawing", "kernel_pictures", "group_picture")
    )
    for draw in (
        *(kernels.patterns, kernels.rearranged, kernels.encoded, kernels.kept_norm),
        groups.groups,
    ):
        light, dark = (draw(theme) for theme in drawing.THEMES)
        assert xml.etree.ElementTree.fromstring(light).tag.endswith("svg")
        assert light != dark


@pytest.mark.parametrize(
    ("page", "numbers"),
    [
        ("index.md", ["10.18", "13.98", "71.7", "69.7", "66.7"]),
        ("faq.md", ["3.06", "3.09", "2.65", "5 MB"]),
        ("choosing.md", ["0.57", "0.73", "5 MB"]),
    ],
)
def test_numbers_of_the_readme_are_the_readmes(page, numbers):
    readme, text = (ROOT / "README.md").read_text(), (DOCS / page).read_text()
    for number in numbers:
        assert number in readme, f"{page} quotes {number}, which has left the README"
        assert number in text
