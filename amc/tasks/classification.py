"""Classification: labelled samples, parted into those to learn from and those to score on."""

from __future__ import annotations

from dataclasses import dataclass

from amc.tasks.samples import Samples

PART = 1 / 6
"""Of samples that nobody has parted, what is held out for scores, and once more for the test."""

CALIBRATION = 4000
"""Training samples that layers are refit from at most."""


@dataclass(frozen=True)
class Classification:
    """What a search of a classifier reads. The score is the fraction that is classified rightly.

    Args:
        train: Samples that the network was trained on: for the refit, for criteria that need some,
            and for strategies that fine-tune. The first `CALIBRATION` serve the refit.
        holdout: Samples that candidates are scored on; nobody trains on them, and they are not the
            test samples.
        test: Samples that no step of a search sees, for a report; None where there are none.
    """

    train: Samples
    holdout: Samples
    test: Samples | None = None

    @classmethod
    def split(cls, samples: Samples, seed: int = 0) -> Classification:
        """Hold out two random parts of `PART` each, the same for the same seed.

        Raises:
            ValueError: if there are fewer than three samples.
        """
        held_out = max(1, round(len(samples) * PART))
        if len(samples) < 3:
            raise ValueError(
                f"classification: {len(samples)} samples cannot be parted into those to train on, "
                "to score on and to test on; give three or more"
            )
        train, rest = samples.split(len(samples) - 2 * held_out, seed)
        holdout, test = rest.take(slice(0, held_out)), rest.take(slice(held_out, None))
        return cls(train, holdout, test)

    @property
    def calibration(self) -> Samples:
        """What layers that lose inputs are refit from."""
        return self.train.take(slice(0, CALIBRATION))
