"""Channels in vectors, the last ones in narrower vectors."""


def chunks(channels: int, lanes: int) -> list[tuple[int, int, int]]:
    """Returns the first channel, how many vectors, and their lanes, part by part."""
    found = []
    first = 0
    while first < channels:
        count = (channels - first) // lanes
        if count:
            found.append((first, count, lanes))
            first += count * lanes
        lanes //= 2
    return found
