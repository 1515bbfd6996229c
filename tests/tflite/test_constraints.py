import dataclasses

import pytest
import tf_keras
from sparse_networks import body, pruned
from tf_keras import layers

from tfmot_onexn.tflite import constraints, convert, facts, flatbuffer, kernels
from tfmot_onexn.tflite.constraints import Verdict
from tfmot_onexn.tflite.facts import Facts
from tfmot_onexn.tflite.sparse_inference import State

# converting these networks warns of what is tested here
pytestmark = pytest.mark.filterwarnings("ignore:.* cannot run:UserWarning")

# a 1x1 convolution that arm64 runs sparse
SPARSE = Facts(
    operator="CONV_2D",
    pointwise=True,
    strided=False,
    zeros=0.75,
    has_blocks=True,
    stored_sparse=True,
    channels=4,
    file_is_sparse=True,
    most_zeros=0.75,
    state=State.SPARSE,
)
NO_ZEROS = "It has no zeros to skip."
ONLY_POINTWISE = "XNNPACK has sparse kernels for 1×1 convolutions only."


@pytest.mark.parametrize(
    ("changes", "word", "reason"),
    [
        ({}, "sparse", "XNNPACK multiplies its blocks, 4 output channels at a time."),
        (
            {"leak": "PAD x"},
            "broken",
            "It runs sparse with channels first, which PAD x takes for channels last, "
            "so the results are wrong or the file does not load: convert with --dense.",
        ),
        (
            {"reshaped": "MEAN y"},
            "broken",
            "It runs sparse, which gives the result of MEAN y a wrong shape: pool "
            "without keepdims=True, or convert with --dense.",
        ),
        ({"has_blocks": False, "state": State.APART}, "dense", NO_ZEROS),
        (
            {"operator": "DEPTHWISE_CONV_2D", "pointwise": False, "has_blocks": False},
            "dense",
            NO_ZEROS,
        ),
        ({"pointwise": False, "state": State.APART}, "dense", ONLY_POINTWISE),
        (
            {"operator": "FULLY_CONNECTED", "state": State.APART},
            "dense",
            ONLY_POINTWISE,
        ),
        ({"operator": "CONV_3D", "pointwise": False}, "dense", ONLY_POINTWISE),
        (
            {"strided": True, "state": State.APART},
            "dense",
            "XNNPACK has no sparse kernel for 1×1 convolutions with strides or groups.",
        ),
        (
            {"file_is_sparse": False, "stored_sparse": False, "state": None},
            "dense",
            "The file stores every kernel dense, so XNNPACK does not look for zeros.",
        ),
        (
            {"state": State.NOT_FROM_START, "blockers": "CONV_2D stem, 2 more"},
            "dense",
            "Sparse inference has to begin at a 3×3 convolution of 3 channels with "
            "strides of 2 and explicit padding of 1 on each side, and to go on "
            "unbroken up to here; in the way are CONV_2D stem, 2 more.",
        ),
        (
            {"state": State.READ_OUTSIDE},
            "dense",
            "A feature map among the layers that would run sparse has another reader.",
        ),
        (
            {"state": State.NO_END},
            "dense",
            "Sparse inference has to end in a mean over each image or in a "
            "depth-to-space, and there is none.",
        ),
        (
            {"state": State.FEW_ZEROS},
            "dense",
            "Sparse inference starts above two thirds of zeros among the 1×1 weights.",
        ),
        (
            {"state": None, "most_zeros": 2 / 3},
            "dense",
            "Sparse inference starts above two thirds of zeros among the 1×1 weights.",
        ),
        (
            {"state": None},
            "unknown",
            "The operators around it decide: convert the model and look at the "
            ".tflite.",
        ),
    ],
)
def test_each_rule_on_arm64_says_why(changes, word, reason):
    changed = dataclasses.replace(SPARSE, **changes)
    assert constraints.verdict(changed, "arm64") == Verdict(word, reason)


@pytest.mark.parametrize(
    "changes",
    [
        {"operator": "FULLY_CONNECTED"},  # on images it is a 1x1 convolution
        {"operator": None, "state": State.SPARSE},
        {"has_blocks": False},  # with the others of its cluster
        {"strided": False, "zeros": 0.0},
    ],
)
def test_what_runs_among_sparse_layers_runs_sparse(changes):
    changed = dataclasses.replace(SPARSE, **changes)
    assert constraints.verdict(changed, "arm64").word == "sparse"


@pytest.mark.parametrize("state", [*State, None])
def test_x86_with_avx_runs_dense_whatever_the_graph(state):
    changed = dataclasses.replace(SPARSE, state=state, leak="PAD x")
    verdict = constraints.verdict(changed, "x86-64")
    assert verdict.word == "dense"
    assert verdict.reason == (
        "On processors with AVX, XNNPACK expects its dense kernels to be faster and "
        "multiplies the zeros too."
    )


def test_a_kernel_without_zeros_says_so_on_x86():
    changed = dataclasses.replace(SPARSE, has_blocks=False, state=State.APART)
    assert constraints.verdict(changed, "x86-64") == Verdict("dense", NO_ZEROS)


def test_every_rule_is_asked_and_has_one_sentence():
    assert set(constraints.RULES) == set(constraints.RUNTIMES)
    for rules in constraints.RULES.values():
        assert not rules[-1].holds(SPARSE), "the last rule must give a verdict"
        for rule in rules:
            assert rule.message.endswith(".")
            assert ". " not in rule.message
            assert rule.message.format(**vars(SPARSE))
            assert rule.word in ("dense", "sparse", "broken", "unknown")


def judged(model, **kwargs):
    content = convert.convert_to_tflite(model, **kwargs)
    file = flatbuffer.read(content)
    stored = kernels.read(file)
    found = [facts.of_kernel(k, k.n, k.n is not None) for k in stored]
    verdicts = constraints.of_kernels(facts.in_file(file, stored, found))
    by_name = {k.name: v for k, v in zip(stored, verdicts, strict=True)}
    return by_name, constraints.of_network(verdicts)


def test_the_graph_of_a_file_decides():
    layers_of, network = judged(pruned(body()))
    assert layers_of["expand"]["arm64"].word == "sparse"
    assert layers_of["stem"]["arm64"] == Verdict("dense", NO_ZEROS)
    assert network["arm64"] == layers_of["expand"]["arm64"]
    assert network["x86-64"].reason.startswith("On processors with AVX")


def test_a_file_of_dense_tensors_is_not_asked_further():
    _, network = judged(pruned(body(layers.MaxPooling2D())), sparse=False)
    assert network["arm64"].word == "dense"


def test_a_broken_network_names_the_operator():
    layers_of, network = judged(pruned(body(layers.MaxPooling2D(name="largest"))))
    assert layers_of["project"]["arm64"].word == "broken"
    assert layers_of["last"]["arm64"].word == "dense"
    assert network["arm64"].word == "broken"
    assert "MAX_POOL_2D " in network["arm64"].reason
    assert "largest" in network["arm64"].reason
    _, network = judged(pruned(body(head=lambda x: x)))
    assert network["arm64"].word == "dense"
    keeping = layers.GlobalAveragePooling2D(keepdims=True)
    _, network = judged(pruned(body(head=keeping)))
    assert "the result of MEAN " in network["arm64"].reason


def test_the_caller_may_be_who_takes_it_wrong():
    model = body()
    features = model.get_layer("project").output
    model = tf_keras.Model(model.input, [model.output, features])
    _, network = judged(pruned(model))
    assert network["arm64"].word == "broken"


def test_a_network_is_as_good_as_its_kernels():
    def of(*words):
        return [{n: Verdict(w, f"{w}!") for n in constraints.RUNTIMES} for w in words]

    assert constraints.of_network(of("dense", "sparse"))["arm64"].word == "sparse"
    assert constraints.of_network(of("sparse", "broken"))["arm64"].word == "broken"
    assert constraints.of_network(of("dense", "unknown"))["arm64"].word == "unknown"
    assert constraints.of_network(of("dense", "dense"))["arm64"].reason == "dense!"
    assert constraints.of_network([]) == {}


def test_the_reason_of_a_dense_network_is_that_of_most_kernels_with_zeros():
    def dense(reason):
        return dict.fromkeys(constraints.RUNTIMES, Verdict("dense", reason))

    kernels_ = [dense(NO_ZEROS)] * 5 + [dense("a")] + [dense("b")] * 2
    assert constraints.of_network(kernels_)["arm64"].reason == "b"
    assert constraints.of_network([dense(NO_ZEROS)])["arm64"].reason == NO_ZEROS


def test_zeros_of_other_layers_do_not_count_for_a_model_not_converted():
    pruned_head = dataclasses.replace(
        SPARSE, operator="FULLY_CONNECTED", zeros=0.9, state=None
    )
    half = dataclasses.replace(SPARSE, zeros=0.5, state=None)
    _, verdict = constraints.of_kernels([pruned_head, half])
    assert verdict["arm64"].word == "dense"
    _, verdict = constraints.of_kernels([dataclasses.replace(half, zeros=0.7), half])
    assert verdict["arm64"].word == "unknown"
