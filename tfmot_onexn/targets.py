"""The machines that artifacts are built for, as every command spells them."""

import dataclasses
import platform


@dataclasses.dataclass(frozen=True)
class Target:
    """A kind of machine.

    Attributes:
      name: as ``--target`` takes it.
      triple: processor, system and C library as compilers spell them.
      processor: as ``uname -m`` tells it there.
      isa: what the processor must have.
    """

    name: str
    triple: str
    processor: str
    isa: str

    @property
    def android(self) -> bool:
        """Whether it runs Android, whose C library comes with its own kit."""
        return self.triple.endswith("-android")


HOST = "host"
TARGETS = {
    target.name: target
    for target in (
        Target("x86-64-v3", "x86_64-linux-gnu", "x86_64", "AVX2 and FMA"),
        Target("x86-64-v4", "x86_64-linux-gnu", "x86_64", "AVX-512"),
        Target("aarch64-linux-gnu", "aarch64-linux-gnu", "aarch64", "NEON"),
        Target("aarch64-linux-android", "aarch64-linux-android", "aarch64", "NEON"),
        Target("armv7-linux-gnueabihf", "arm-linux-gnueabihf", "armv7l", "NEON"),
    )
}
NAMES = (HOST, *TARGETS)


def resolve(name: str) -> Target:
    """Returns the target of a name; "host" is this machine.

    Raises:
      ValueError: if there is none of that name.
    """
    if name == HOST:
        processor = platform.machine()
        for target in TARGETS.values():
            if target.processor == processor and not target.android:
                return dataclasses.replace(target, name=HOST)
        return Target(HOST, f"{processor}-linux-gnu", processor, "")
    if name not in TARGETS:
        raise ValueError(f"Unknown target {name!r}; choose one of {list(NAMES)}.")
    return TARGETS[name]
