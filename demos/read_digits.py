"""Do our digits look like handwriting? A nearest-neighbour reader, three times.

    python demos/read_digits.py         prints three figures, leaves digits.png

The reader answers with the label of the training picture at the smallest squared distance. MNIST is
read from the folder that SCRATCHGEN_DATA names; without it only the second figure is measured.
"""

import os

import numpy as np

import scratchgen as sg

TRAIN, TEST = 5_000, 1_000


def reader(train, labels, test, truth) -> float:
    """The share of the test pictures that is read rightly."""
    a, b = train.reshape(len(train), -1), test.reshape(len(test), -1)
    squared = (a**2).sum(axis=1) - 2 * b @ a.T  # (TEST, TRAIN), but for a constant a row
    return float((labels[squared.argmin(axis=1)] == truth).mean())


def main() -> None:
    ours = sg.data.digits(TRAIN, rng=0, return_labels=True)
    others = sg.data.digits(TEST, rng=1, return_labels=True)
    if "SCRATCHGEN_DATA" in os.environ:
        images, labels = sg.data.mnist(return_labels=True)
        tests, truth = sg.data.mnist(split="test", return_labels=True)
        mnist = images[:TRAIN], labels[:TRAIN]
        print(f"trained on MNIST, reads MNIST: {reader(*mnist, tests[:TEST], truth[:TEST]):.1%}")
    print(f"trained on ours, reads ours:   {reader(*ours, *others):.1%}")
    if "SCRATCHGEN_DATA" in os.environ:
        print(f"trained on MNIST, reads ours:  {reader(*mnist, *others):.1%}")
    order = np.argsort(others[1], kind="stable")
    rows = [order[others[1][order] == digit][:16] for digit in range(10)]
    sg.plots.sheet(others[0][np.concatenate(rows)], "digits.png", 16, "digits, drawn from strokes")


if __name__ == "__main__":
    main()
