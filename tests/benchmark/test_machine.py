from tfmot_onexn.benchmark import machine


def test_the_machine_tells_what_a_number_depends_on():
    described = machine.describe()
    assert described["cores"] >= 1
    assert described["versions"]["ai-edge-litert"].startswith("2.3")
    assert described["versions"]["tensorflow"].startswith("2.21")
    assert "tflite-runtime" not in described["versions"]
    line = machine.one_line(described)
    assert "cores, load" in line
    for part in (described["cpu"], described["date"], "LiteRT 2.3", "TVM 0.27"):
        assert part in line
