import subprocess
import sys

import numpy as np
import pytest
import rich.console
import tf_keras
from graphs import batch, compiled, small_network
from sparse_networks import body
from sparse_networks import pruned as with_zeros
from tf_keras import layers

import tfmot_onexn
from tfmot_onexn import inspection
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.pruning.schedule import OneShot
from tfmot_onexn.tflite import convert, flatbuffer, inventory

EVERYTHING = policy.PruneAll()


@pytest.fixture(scope="module")
def dense():
    return randomize(small_network(width=3))


@pytest.fixture(scope="module")
def pruned(dense):
    return prune.prune_low_magnitude_1xN(
        dense, 8, pruning_policy=EVERYTHING, rearrange="none"
    )


def shown(*arguments, width=100):
    """Returns what `summary` prints, line by line, and what it returns."""
    console = rich.console.Console(width=width)
    with console.capture() as captured:
        found = inspection.summary(*arguments, console=console)
    return [line.rstrip() for line in captured.get().splitlines()], found


def kept_of(found):
    return {layer.name: layer.kept_l1 for layer in found.layers}


def test_kept_l1_is_the_ratio_of_the_norms(dense, pruned):
    _, found = shown(pruned, dense)
    for name, kept in kept_of(found).items():
        before = np.abs(dense.get_layer(name).get_weights()[0]).sum()
        wrapped = next(w for w in pruned.layers if getattr(w, "layer", w).name == name)
        after = wrapped.get_weights()[0]
        if name != "depthwise":
            after = after * wrapped.pruning_vars[0][1].numpy()
        assert kept == pytest.approx(np.abs(after).sum() / before)
        assert (kept == 1) == (name == "depthwise")
    chosen = [layer for layer in found.layers if layer.name != "depthwise"]
    total = sum(layer.l1 for layer in chosen) / sum(x.dense_l1 for x in chosen)
    assert found.totals()["pruned_kept_l1"] == pytest.approx(total)


def test_the_order_of_filters_does_not_matter_to_kept_l1(dense):
    rearranged = tfmot_onexn.rearrange(dense, 8, 0.5, "l1")
    expand = rearranged.get_layer("expand").get_weights()[0]
    assert (expand != dense.get_layer("expand").get_weights()[0]).any()
    _, found = shown(rearranged, dense)
    assert kept_of(found) == pytest.approx(dict.fromkeys(kept_of(found), 1.0))


def test_fine_tuning_may_keep_more_than_all(dense):
    grown = tf_keras.models.clone_model(dense)
    grown.set_weights([3 * weight for weight in dense.get_weights()])
    _, found = shown(grown, dense)
    assert kept_of(found)["expand"] == pytest.approx(3)


def test_trained_models_are_compared_too(dense, pruned):
    model = compiled(tf_keras.models.clone_model(dense))
    model.set_weights(dense.get_weights())
    model.fit(*batch(model), verbose=0)
    _, found = shown(model, dense)
    assert all(0.5 < kept < 2 for kept in kept_of(found).values())


def test_two_files_are_matched_by_their_order(dense, pruned, tmp_path):
    sparse, whole = tmp_path / "sparse.tflite", tmp_path / "whole.tflite"
    convert.convert_to_tflite(pruned, sparse)
    convert.convert_to_tflite(dense, whole)
    _, of_files = shown(sparse, whole)
    _, of_models = shown(pruned, dense)
    # the folded BatchNormalization weighs each filter, so the shares differ a little
    assert kept_of(of_files) == pytest.approx(kept_of(of_models), abs=0.05)
    assert 0.4 < kept_of(of_files)["expand"] < 0.9


def test_a_file_cannot_be_compared_with_a_model(dense, tmp_path):
    path = tmp_path / "file.tflite"
    convert.convert_to_tflite(dense, path)
    for pair in ((path, dense), (dense, path)):
        with pytest.raises(ValueError, match="cannot be compared: converting folds"):
            inspection.summary(*pair)


def test_another_network_is_refused(dense, pruned, tmp_path):
    other = randomize(small_network(width=2))
    message = (
        r"small is not what small was pruned from: the kernel of stem is 3×3×3×16 "
        r"there, expected 3×3×3×24\. Give the dense model with the same layers, before "
        r"any filter was removed\."
    )
    with pytest.raises(ValueError, match=message):
        inspection.summary(pruned, other)
    with pytest.raises(ValueError, match="kernel of stem is missing there"):
        inspection.summary(pruned, tf_keras.Sequential([layers.Dense(2)]))
    short = tf_keras.Model(dense.input, dense.get_layer("head").output)
    files = [tmp_path / "short.tflite", tmp_path / "whole.tflite"]
    for model, path in zip((short, dense), files, strict=True):
        convert.convert_to_tflite(model, path)
    with pytest.raises(ValueError, match="kernel of classifier is missing there"):
        inspection.summary(files[1], files[0])


def test_a_kernel_of_zeros_has_no_share_of_its_norm():
    model = tf_keras.Sequential([layers.Input((4,)), layers.Dense(2, name="empty")])
    model.set_weights([np.zeros((4, 2)), np.zeros(2)])
    lines, found = shown(model, model)
    assert kept_of(found) == {"empty": None}
    assert any("empty" in line and "–" in line for line in lines)


def test_the_table_shows_a_row_for_each_kernel_and_totals(pruned, dense):
    lines, found = shown(pruned, dense)
    assert lines[0] == "small: 6 kernels, 5 of them pruned"
    header = lines[2].split()
    assert header == [
        *("layer", "kernel", "n", "zeros", "fill", "kept", "ℓ1", "MMACs"),
        *("non-zero", "kB", "stored"),
    ]
    expand = next(line for line in lines if line.startswith(" expand")).split()
    layer = next(x for x in found.layers if x.name == "expand")
    assert expand == [
        *("expand", "1×1×24×72", "8", "50%", "100%", f"{layer.kept_l1:.0%}"),
        *("0.03", "0.01", "6.9", f"{layer.encoded_bytes / 1e3:.1f}"),
    ]
    depthwise = next(line for line in lines if line.startswith(" depthwise")).split()
    assert depthwise[2:5] == ["–", "0%", "–"]
    total = next(line for line in lines if line.startswith(" total")).split()
    sums = found.totals()
    assert total[1] == f"{sums['sparsity']:.0%}"
    assert total[-2:] == [
        f"{sums['dense_bytes'] / 1e3:.1f}",
        f"{sums['encoded_bytes'] / 1e3:.1f}",
    ]


def test_without_a_dense_model_the_column_is_left_out(pruned):
    lines, _ = shown(pruned)
    assert "kept" not in lines[2]


def remarks(lines):
    """Returns the lines below the table, those that go on joined to the first."""
    below = lines[next(i for i, x in enumerate(lines) if x.startswith(" total")) + 2 :]
    joined = []
    for line in below:
        if line.startswith(" ") and joined:
            joined[-1] += " " + line.strip()
        else:
            joined.append(line)
    return [" ".join(line.split()) for line in joined]


def test_remarks_say_once_what_concerns_several_layers(pruned):
    lines, _ = shown(pruned)
    assert remarks(lines) == [
        "zeros 51% of the pruned kernels, 46% of all",
        "x86-64 dense 5 kernels (stem, expand, …): On processors with AVX, XNNPACK "
        "expects its dense kernels to be faster and multiplies the zeros too.",
        "arm64 dense stem, classifier: XNNPACK has sparse kernels for 1×1 "
        "convolutions only. expand, project, head: Sparse inference starts above two "
        "thirds of zeros among the 1×1 weights.",
        "delegate unknown 5 kernels (stem, expand, …): Only the file shows it: convert "
        "the model and look at the .tflite.",
        "in place classifier: is an output of the model",
        "blocks classifier: N = 8 > 4 channels: one narrow block row",
    ]


def test_a_dense_model_has_nothing_to_remark_on_zeros(dense):
    lines, _ = shown(dense)
    assert lines[0] == "small: 6 kernels, 0 of them pruned"
    assert remarks(lines) == ["in place classifier: is an output of the model"]


def test_verdicts_that_differ_have_a_column(tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(with_zeros(body()), path)
    lines, _ = shown(path)
    assert lines[2].split()[-2:] == ["arm64", "delegate"]
    assert "x86-64" not in lines[2]
    rows = {line.split()[0]: line.split()[-2:] for line in lines[4:9] if line}
    assert rows["expand"] == ["sparse", "sparse"]
    assert rows["stem"] == ["dense", "dense"]
    assert (
        "arm64 sparse expand, project, last: XNNPACK multiplies its blocks, 4 output "
        "channels at a time." in remarks(lines)
    )


def test_what_cannot_be_told_is_said():
    class Turn(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight("table", (3, 3))

        def call(self, inputs):
            return inputs[..., ::-1]

    image = layers.Input((None, None, 3))
    x = layers.Conv2D(8, 1, name="before")(image)
    x = layers.LayerNormalization(name="norm")(layers.Conv2D(8, 1, name="held")(x))
    x = Turn(name="turn")(layers.Conv2D(8, 1)(x))
    lines, _ = shown(tf_keras.Model(image, layers.Conv2D(2, 1, name="last")(x)))
    found = remarks(lines)
    assert "not listed turn (Turn)" in found
    assert any(line.startswith("not traced turn (Turn): no rule") for line in found)
    assert any(line.startswith("not removable held: norm ") for line in found)
    assert any("not known without the size of the input" in line for line in found)


def test_many_reasons_are_shortened():
    found = inventory.Summary("net", "keras", (), {})
    assert inspection._listed(list("abcd")) == "a, b, c, d"
    assert inspection._listed(list("abcde")) == "5 kernels (a, b, …)"
    long = ["a" * 40, "b" * 40]
    assert inspection._listed(long) == f"2 kernels ({long[0]}, …)"
    assert inspection._listed(["a" * 80]) == "a" * 80
    lines, _ = shown(tf_keras.Sequential([layers.Input((3,)), layers.ReLU()], "net"))
    assert lines[0] == "net: 0 kernels, 0 of them pruned"
    assert found.totals()["kernels"] == 0


@pytest.mark.parametrize("width", [60, 100, 200])
def test_no_line_is_wider_than_the_terminal(pruned, dense, width):
    lines, _ = shown(pruned, dense, width=width)
    assert max(map(len, lines)) <= width
    assert any("classifier" in line for line in lines)


def test_names_cannot_steer_the_terminal(dense, tmp_path):
    path = tmp_path / "[red].tflite"
    model = flatbuffer.read(convert.convert_to_tflite(dense))
    for tensor in model.subgraphs[0].tensors:
        tensor.name = b"[bold]mark\x1b[2J:smile:\n"
    path.write_bytes(flatbuffer.write(model))
    lines, found = shown(path)
    assert lines[0].startswith("[red].tflite: 6 kernels")
    assert all("\x1b" in layer.name for layer in found.layers)
    rows = [line for line in lines if "[bold]mark�[2J:smile:�" in line]
    assert len(rows) >= 6
    assert not any("\x1b" in line for line in lines)


def test_weight_pruned_models_have_blocks_of_one(dense):
    model = prune.prune_weights(dense, OneShot(0.5), EVERYTHING)
    _, found = shown(model, dense)
    assert {layer.n for layer in found.pruned} == {1}


def test_a_files_summary_does_without_tensorflow(pruned, tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned, path)
    script = (
        "import sys, tfmot_onexn\n"
        f"tfmot_onexn.summary({str(path)!r}, {str(path)!r})\n"
        "heavy = {'tensorflow', 'tf_keras', 'keras', 'tensorflow_model_optimization'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("model.tflite: 6 kernels")
    assert max(map(len, done.stdout.splitlines())) <= 120


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match=r"bad\.tflite is not a \.tflite file"):
        inspection.summary(path)
