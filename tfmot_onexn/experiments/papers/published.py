"""The papers' published ImageNet top-1 accuracies, in percent, to set beside ours.

1xN: Lin et al., arXiv 2105.14713, tables 1 and 2, and the data behind its figure 4.
SUBP: Xiang et al., arXiv 2310.06218, results of the authors' public code.
"""

# table 2, p = 0.5: dense, weight, filter, then 1xN by N
TABLE2: dict[str, dict[str, float]] = {
    "mobilenet": {
        "dense": 71.154,
        "weight": 70.764,
        "filter": 65.348,
        "1×2": 70.281,
        "1×4": 70.052,
        "1×8": 69.908,
        "1×16": 69.559,
        "1×32": 69.541,
    },
    "mobilenet_v2": {
        "dense": 71.737,
        "weight": 71.146,
        "filter": 66.730,
        "1×2": 70.233,
        "1×4": 69.706,
        "1×8": 69.372,
        "1×16": 69.352,
        "1×32": 68.762,
    },
    "mobilenet_v3_small": {
        "dense": 67.225,
        "weight": 66.376,
        "filter": 59.054,
        "1×2": 65.380,
        "1×4": 64.465,
        "1×8": 64.101,
        "1×16": 63.126,
        "1×32": 62.881,
    },
    "mobilenet_v3_large": {
        "dense": 74.280,
        "weight": 72.897,
        "filter": 69.137,
        "1×2": 72.120,
        "1×4": 71.935,
        "1×8": 71.478,
        "1×16": 71.112,
        "1×32": 70.769,
    },
}

# table 1, MobileNetV2, p = 0.5, by N: without and with rearrangement
TABLE1: dict[int, tuple[float, float]] = {
    2: (69.900, 70.233),
    4: (69.521, 69.579),
    8: (69.206, 69.372),
    16: (68.971, 69.352),
    32: (68.431, 68.762),
}

# figure 4, MobileNetV2, p = 0.1 to 0.9
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_FIG4 = {
    "weight": (71.95, 71.89, 71.81, 71.67, 71.15, 70.15, 68.57, 65.85, 59.73),
    "filter": (71.55, 70.87, 69.94, 68.33, 66.73, 60.65, 54.77, 45.82, 28.04),
    "1×4": (71.504, 71.373, 70.936, 70.458, 69.426, 68.314, 66.426, 62.745, 56.667),
    "1×16": (71.433, 71.092, 70.697, 70.022, 69.352, 67.811, 65.272, 61.126, 53.005),
}
FIG4 = {
    variant: dict(zip(_SHARES, values, strict=True))
    for variant, values in _FIG4.items()
}

# MobileNet at p = 0.539 (SUBP) and p = 0.5 (1xN, fine-tuned), by N
SUBP: dict[int, float] = {16: 71.5, 32: 71.1}
ONEXN_BESIDE_SUBP: dict[int, float] = {16: 69.559, 32: 69.541}


def of(numbers: dict, *keys) -> str:
    """Returns a published number as text, or a dash where there is none."""
    value = numbers
    for key in keys:
        if key not in value:
            return "–"
        value = value[key]
    return f"{value:.1f}"
