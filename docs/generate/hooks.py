"""What MkDocs calls while it builds the site: fills in all that the code can tell.

``<!-- generated: NAME -->`` on a page stands for a text of `_TEXTS`, an image
``pictures/NAME.svg`` for a picture of `_PICTURES` on a light and on a dark background.
A page with ``run: true`` above it shows what its Python prints.
"""

import functools
import os
import re

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ["COLUMNS"] = "80"  # of tables that the code prints, as wide as a page

import tfmot_onexn  # noqa: F401  isort: skip (before TensorFlow)

import code_blocks
import command_line
import group_picture
import kernel_pictures
import runtime_rules
import supported_layers
from drawing import THEMES
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

_TEXTS = {
    "commands": command_line.reference,
    "policies": supported_layers.policy_table,
    "prunable": supported_layers.prunable_table,
    "single-weights": supported_layers.single_weights_table,
    "rules": supported_layers.rule_tables,
    "runtimes": runtime_rules.tables,
    "without-rule": supported_layers.without_rule,
}
_PICTURES = {
    "encoded": kernel_pictures.encoded,
    "groups": group_picture.groups,
    "kept-norm": kernel_pictures.kept_norm,
    "patterns": kernel_pictures.patterns,
    "rearranged": kernel_pictures.rearranged,
}


@functools.cache
def _pictures() -> dict[str, str]:
    """Draws every picture, once for a server that builds the site again and again."""
    return {
        f"pictures/{name}-{theme.name}.svg": draw(theme)
        for name, draw in _PICTURES.items()
        for theme in THEMES
    }


def on_files(files, config):
    """Adds the pictures to the files of the site."""
    for path, content in _pictures().items():
        files.append(File.generated(config, path, content=content))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fills in a page."""
    if page.meta.get("run"):
        markdown = _with_outputs(markdown, page.file.src_path)
    markdown = re.sub(r"<!-- generated: (\S+) -->", _text, markdown)
    return re.sub(r"!\[([^]]*)\]\((.*pictures/.*)\.svg\)", _both_themes, markdown)


_with_outputs = functools.cache(code_blocks.with_outputs)


def _text(match: re.Match) -> str:
    if match[1] not in _TEXTS:
        raise PluginError(
            f"Nothing generates {match[1]!r}; choose of {sorted(_TEXTS)}."
        )
    return _TEXTS[match[1]]()


def _both_themes(match: re.Match) -> str:
    return " ".join(
        f"![{match[1]}]({match[2]}-{theme.name}.svg#only-{theme.name})"
        for theme in THEMES
    )
