"""One line of the table: what was measured, what it is compared with, and whether the limits hold."""

import dataclasses
import operator
import statistics
import typing

HOLDS = {"<=": operator.le, ">=": operator.ge}


@dataclasses.dataclass
class Limit:
    """`value <= 1.1`, where value is the median of "ours" or of "ratio"."""

    of: str
    relation: str
    bound: float
    words: str

    def holds(self, line):
        return HOLDS[self.relation](statistics.median(getattr(line, self.of)), self.bound)


@dataclasses.dataclass
class Line:
    """`ours`, `peer` and `floor` are paired: the same place in each list is the same round. The ratio is to the peer, or to
    the floor where there is no peer, unless it is given."""

    what: str
    ours: list
    peer: typing.Optional[list] = None
    floor: typing.Optional[list] = None
    ratio: typing.Optional[list] = None
    at_least: typing.Optional[Limit] = None
    hoped: typing.Optional[Limit] = None
    digits: int = 2

    def __post_init__(self):
        beside = self.peer or self.floor
        if beside and self.ratio is None:
            self.ratio = [ours / other for ours, other in zip(self.ours, beside)]

    @property
    def broken(self):
        return self.at_least is not None and not self.at_least.holds(self)

    def cells(self):
        def spread(values, digits):
            if not values:
                return "-"
            low, middle, high = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
            return f"{low} {middle} {high}"

        promise, hope = "shown", ""
        if self.at_least:
            promise = f"{self.at_least.words}: {'BROKEN' if self.broken else 'ok'}"
        if self.hoped:
            hope = f"{self.hoped.words}: {'yes' if self.hoped.holds(self) else 'not yet'}"
        return [self.what, *(spread(values, self.digits) for values in (self.ours, self.peer, self.floor)),
                spread(self.ratio, 2), promise, hope]


HEAD = ["what (minimum median maximum)", "ours", "nginx", "floor", "ratio", "at least", "hoped for"]


def render(lines):
    rows = [HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    rows.insert(1, ["-" * width for width in widths])
    right = (1, 2, 3, 4)
    return "\n".join(
        "  ".join(cell.rjust(width) if i in right else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows
    )
