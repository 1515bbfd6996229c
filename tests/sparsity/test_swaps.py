from tfmot_onexn.sparsity import permutation, swaps


def test_looking_on_a_choice_of_channels_keeps_about_as_much(rng, monkeypatch):
    kernels = [
        (rng.normal(size=(200, 64)) * rng.lognormal(sigma=0.7, size=64))
        for _ in range(3)
    ]

    def kept(method):
        order = permutation.search(kernels, 4, 0.5, method)
        return permutation.kept_saliency(kernels, 4, 0.5, order=order)

    exact, sort = kept("swaps"), kept("l1")
    monkeypatch.setattr(swaps, "_SCREENED_CHANNELS", 100)
    screened = kept("swaps")
    assert screened != exact
    assert abs(screened - exact) < 0.1 * (exact - sort)
