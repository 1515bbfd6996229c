"""Which kernels stock TFLite runtimes multiply sparse: XNNPACK's own rules.

XNNPACK is the CPU backend of LiteRT, TensorFlow Lite and tflite_runtime. Each rule is a
function; where it does not hold, the first paragraph of its docstring is what the user
reads. `RULES` has them by processor, in the order in which they are asked.
"""

import dataclasses
import inspect
from collections.abc import Callable, Sequence

from tfmot_onexn.tflite.facts import Facts
from tfmot_onexn.tflite.sparse_inference import State

DENSE, SPARSE, BROKEN, UNKNOWN = "dense", "sparse", "broken", "unknown"
# a layer whose operator is not known may become one
_CONVOLUTION = ("CONV_2D", None)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a runtime does with a kernel.

    Attributes:
      word: "dense" (at the speed of a dense kernel), "sparse", "broken" or "unknown".
      reason: one sentence.
    """

    word: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
      holds: whether it does.
      word: the verdict where it does not.
    """

    holds: Callable[[Facts], bool]
    word: str

    @property
    def message(self) -> str:
        """The first paragraph of the docstring, with fields of `Facts` in braces."""
        paragraph = (inspect.getdoc(self.holds) or "").split("\n\n")[0]
        return " ".join(paragraph.split())

    def verdict(self, facts: Facts) -> Verdict:
        """Returns the verdict where the rule does not hold."""
        return Verdict(self.word, self.message.format(**vars(facts)))


# processors, and the runtimes that the rules were checked against
RUNTIMES = {
    "x86-64": "any stock TFLite runtime on x86-64 with AVX",
    "arm64": "LiteRT 2.3 on 64-bit ARM",
}
RULES: dict[str, list[Rule]] = {name: [] for name in RUNTIMES}


def rule(*runtimes: str, otherwise: str = DENSE):
    """Appends a function to the rules of some processors."""

    def register(holds: Callable[[Facts], bool]) -> Callable[[Facts], bool]:
        for name in runtimes:
            RULES[name].append(Rule(holds, otherwise))
        return holds

    return register


@rule("arm64", otherwise=BROKEN)
def ends_where_it_may(facts: Facts) -> bool:
    """It runs sparse with channels first, which {leak} takes for channels last, so the
    results are wrong or the file does not load: convert with --dense.

    Measured: LiteRT 2.3 checks one end of a cluster, not each.
    """
    return facts.state is not State.SPARSE or not facts.leak


@rule("arm64", otherwise=BROKEN)
def keeps_no_axes(facts: Facts) -> bool:
    """It runs sparse, which gives the result of {reshaped} a wrong shape: pool without
    keepdims=True, or convert with --dense.
    """
    return facts.state is not State.SPARSE or not facts.reshaped


@rule("x86-64", "arm64")
def has_zero_blocks(facts: Facts) -> bool:
    """It has no zeros to skip."""
    return facts.has_blocks or (facts.pointwise and facts.state is State.SPARSE)


@rule("x86-64")
def has_no_avx(facts: Facts) -> bool:
    """On processors with AVX, XNNPACK expects its dense kernels to be faster and
    multiplies the zeros too.
    """
    return False


@rule("arm64")
def is_pointwise(facts: Facts) -> bool:
    """XNNPACK has sparse kernels for 1×1 convolutions only."""
    on_images = facts.operator == "FULLY_CONNECTED" and facts.state is State.SPARSE
    return facts.pointwise and (facts.operator in _CONVOLUTION or on_images)


@rule("arm64")
def is_plain(facts: Facts) -> bool:
    """XNNPACK has no sparse kernel for 1×1 convolutions with strides or groups."""
    return not facts.strided and facts.state is not State.APART


@rule("arm64")
def is_stored_sparse(facts: Facts) -> bool:
    """The file stores every kernel dense, so XNNPACK does not look for zeros."""
    return facts.file_is_sparse


@rule("arm64")
def follows_from_the_start(facts: Facts) -> bool:
    """Sparse inference has to begin at a 3×3 convolution of 3 channels with strides of
    2 and explicit padding of 1 on each side, and to go on unbroken up to here; in the
    way are {blockers}.

    The "same" padding of Keras is not of this kind.
    """
    return facts.state is not State.NOT_FROM_START


@rule("arm64")
def is_read_inside_only(facts: Facts) -> bool:
    """A feature map among the layers that would run sparse has another reader."""
    return facts.state is not State.READ_OUTSIDE


@rule("arm64")
def comes_to_an_end(facts: Facts) -> bool:
    """Sparse inference has to end in a mean over each image or in a depth-to-space,
    and there is none.
    """
    return facts.state is not State.NO_END


@rule("arm64")
def has_enough_zeros(facts: Facts) -> bool:
    """Sparse inference starts above two thirds of zeros among the 1×1 weights."""
    if facts.state is None:
        return 3 * facts.most_zeros > 2
    return facts.state is not State.FEW_ZEROS


@rule("arm64", otherwise=UNKNOWN)
def is_converted(facts: Facts) -> bool:
    """The operators around it decide: convert the model and look at the .tflite."""
    return facts.state is not None


@rule("arm64", otherwise=SPARSE)
def runs_dense(facts: Facts) -> bool:
    """XNNPACK multiplies its blocks, {channels} output channels at a time."""
    return False


def verdict(facts: Facts, runtime: str) -> Verdict:
    """Returns what a stock runtime does with a kernel.

    Args:
      facts: about the kernel and its network.
      runtime: one of `RUNTIMES`.
    """
    broken = (rule for rule in RULES[runtime] if not rule.holds(facts))
    return next(broken).verdict(facts)


def of_kernels(kernels: Sequence[Facts]) -> list[dict[str, Verdict]]:
    """Returns what each of `RUNTIMES` does with each kernel of a network."""
    file_is_sparse = any(facts.stored_sparse for facts in kernels)
    most_zeros = max(
        (k.zeros for k in kernels if k.pointwise and k.operator in _CONVOLUTION),
        default=0.0,
    )
    return [
        {
            name: verdict(
                dataclasses.replace(
                    facts, file_is_sparse=file_is_sparse, most_zeros=most_zeros
                ),
                name,
            )
            for name in RUNTIMES
        }
        for facts in kernels
    ]


def of_network(kernels: Sequence[dict[str, Verdict]]) -> dict[str, Verdict]:
    """Returns one verdict for each runtime from those of all kernels.

    A broken kernel spoils the network and a sparse one speeds it up; where all are
    dense, the reason is that of most kernels that have zeros.
    """
    found = {}
    for runtime in kernels[0] if kernels else ():
        here = [kernel[runtime] for kernel in kernels]
        for word in (BROKEN, SPARSE, UNKNOWN, DENSE):
            with_word = [verdict for verdict in here if verdict.word == word]
            with_zeros = [v for v in with_word if v.reason != NO_ZEROS]
            if with_word:
                reasons = [v.reason for v in with_zeros or with_word]
                most = max(dict.fromkeys(reasons), key=reasons.count)
                found[runtime] = Verdict(word, most)
                break
    return found


NO_ZEROS = Rule(has_zero_blocks, DENSE).message
