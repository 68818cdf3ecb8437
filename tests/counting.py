"""What this process has counted, as a test looks at it: by how much a figure has grown."""

from bus.metrics import REGISTRY


def figure(name: str, **labels: str) -> float:
    """A figure as it stands; 0 where nothing has been counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Figures:
    """Every figure as it was when this was made, to compare with."""

    def __init__(self) -> None:
        self._before = _all()

    def grown(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        """By how much the samples of a figure have grown, by the values of these labels; those
        that have not are left out."""
        grown: dict[tuple[str, ...], float] = {}
        for (sample, known), value in _all().items():
            more = value - self._before.get((sample, known), 0.0)
            if sample == name and more:
                values = tuple(dict(known)[label] for label in labels)
                grown[values] = grown.get(values, 0.0) + more
        return grown


def _all() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
    }
