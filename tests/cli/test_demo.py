from tfmot_onexn.experiments import demo


def test_arguments_reach_the_demo(onexn, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(
        demo, "run", lambda *args, **kwargs: calls.append((args, kwargs))
    )
    assert onexn("demo", "--quick", "--out", tmp_path / "r", "--seed", 4)[0] == 0
    assert onexn("demo")[0] == 0
    (quick, full) = calls
    assert quick == ((tmp_path / "r",), {"budget": demo.QUICK, "seed": 4})
    assert full[1] == {"budget": demo.Budget(), "seed": 0}
