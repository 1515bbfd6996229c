import json

import pytest

from tfmot_onexn.pruning import cluster


def config(workers=("a:1", "b:2"), job="worker", index=1, **more):
    task = {"type": job, "index": index}
    return json.dumps({"cluster": {"worker": workers, **more}, "task": task})


@pytest.mark.parametrize(
    "valid",
    [
        config(),
        config(["localhost:80"], index=0),
        config(index="1"),
        config(["b:2"], "chief", 0, chief=["a:1"]),
        config(["[::1]:2222"], index=0),
    ],
)
def test_a_cluster_of_workers_is_accepted(valid):
    cluster.require_valid(valid)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "is not set"),
        ("", "is not set"),
        ("{'cluster'", r"is no JSON \(Expecting property name"),
        ("[1]", r"is \[1\], no object"),
        ("{}", "names no cluster"),
        ('{"cluster": ["a:1"]}', "names no cluster"),
        (config(ps=["c:1"]), "has the job 'ps'; only chief and worker train"),
        (config([]), "has no list of addresses for the job 'worker'"),
        (config("a:1"), "has no list of addresses for the job 'worker'"),
        (config(["a:1", "b"]), "has the address 'b', which is not HOST:PORT"),
        (config([":1"], index=0), "has the address ':1'"),
        (config(["a:0"], index=0), "has the address 'a:0'"),
        (config(["a:65536"], index=0), "has the address 'a:65536'"),
        (config([7], index=0), "has the address 7"),
        (config(["a:1", "a:1"]), "gives the same address to two workers"),
        (config(chief=["a:1"]), "gives the same address to two workers"),
        (config(chief=["c:1", "d:1"]), "has 2 chiefs; there can be one"),
        ('{"cluster": {"worker": ["a:1"]}}', "does not tell the task"),
        (
            config(job="chief"),
            "gives this worker the type 'chief', of which the cluster has none",
        ),
        (
            config(job=None),
            "gives this worker the type None, of which the cluster has none",
        ),
        (
            config(index=2),
            "gives this worker the index 2; the cluster has 2 of type 'worker'",
        ),
        (config(index=-1), "gives this worker the index -1, no number from 0"),
        (config(index=True), "gives this worker the index True, no number from 0"),
        (config(index=None), "gives this worker the index None, no number from 0"),
    ],
)
def test_anything_else_is_refused_with_an_example(wrong, message):
    with pytest.raises(ValueError, match=rf"^TF_CONFIG {message}") as raised:
        cluster.require_valid(wrong)
    text = str(raised.value)
    assert "\n" not in text
    example = text[text.index("TF_CONFIG='") + len("TF_CONFIG='") : text.rindex("'")]
    cluster.require_valid(example)
