"""Do our digits look like handwriting? A nearest-neighbour classifier reads them.

    python demos/read_digits.py         prints three accuracies, leaves digits.png

The classifier answers with the label of the training picture at the smallest squared distance.
MNIST comes from the folder that SCRATCHGEN_DATA names; without it, only the second accuracy is
measured.
"""

import os

import numpy as np

import scratchgen as sg

TRAIN, TEST = 5_000, 1_000


def accuracy(train, labels, test, truth) -> float:
    """The share of test pictures that the classifier labels correctly."""
    a, b = train.reshape(len(train), -1), test.reshape(len(test), -1)
    squared = (a**2).sum(axis=1) - 2 * b @ a.T  # (TEST, TRAIN), up to a constant in each row
    return float((labels[squared.argmin(axis=1)] == truth).mean())


def main() -> None:
    ours = sg.data.digits(TRAIN, rng=0, return_labels=True)
    unseen = sg.data.digits(TEST, rng=1, return_labels=True)
    if "SCRATCHGEN_DATA" in os.environ:
        images, labels = sg.data.mnist(return_labels=True)
        tests, truth = sg.data.mnist(split="test", return_labels=True)
        mnist = images[:TRAIN], labels[:TRAIN]
        print(f"trained on MNIST, reads MNIST: {accuracy(*mnist, tests[:TEST], truth[:TEST]):.1%}")
    print(f"trained on ours, reads ours:   {accuracy(*ours, *unseen):.1%}")
    if "SCRATCHGEN_DATA" in os.environ:
        print(f"trained on MNIST, reads ours:  {accuracy(*mnist, *unseen):.1%}")
    order = np.argsort(unseen[1], kind="stable")
    rows = [order[unseen[1][order] == digit][:16] for digit in range(10)]
    pictures = unseen[0][np.concatenate(rows)]
    sg.plots.sheet(pictures, "digits.png", columns=16, title="digits, drawn from strokes")


if __name__ == "__main__":
    main()
