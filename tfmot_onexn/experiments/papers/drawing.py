"""What the pictures of all experiments share."""

# told apart without red and green
COLOURS = {
    "dense": "#999999",
    "weight": "#e69f00",
    "filter": "#cc79a7",
    "1×4": "#56b4e9",
    "1×16": "#0072b2",
    "subp": "#009e73",
}
