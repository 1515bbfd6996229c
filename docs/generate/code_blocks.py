"""Finds and runs the Python of a page.

Every block fenced as ``python`` is run, those of a page one after the other in one
namespace, so that no page shows code that does not work.
"""

import contextlib
import io
import re
import tempfile

_BLOCK = re.compile(r"^```python\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)


def run(markdown: str, name: str) -> list[str]:
    """Runs the blocks of a page in a folder of their own.

    Args:
      markdown: the page.
      name: of the page, for tracebacks, which give its line numbers.

    Returns:
      What each block printed.
    """
    namespace: dict = {"__name__": name}
    outputs = []
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for match in _BLOCK.finditer(markdown):
            lines_above = markdown.count("\n", 0, match.start(1))
            code = compile("\n" * lines_above + match[1], name, "exec")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(code, namespace)
            outputs.append(printed.getvalue())
    return outputs


def with_outputs(markdown: str, name: str) -> str:
    """Returns a page with what its blocks print below each of them."""
    outputs = iter(run(markdown, name))

    def shown(match: re.Match) -> str:
        text = next(outputs).rstrip()
        fence = f'\n```text title="prints"\n{text}\n```\n'
        return match[0] + fence if text else match[0]

    return _BLOCK.sub(shown, markdown)
