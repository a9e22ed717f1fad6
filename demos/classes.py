"""Do an ACGAN's samples show the class that they were drawn for? Three classifiers judge.

    python demos/classes.py             prints the errors by class weight, leaves classes.png

The ACGAN's own classifier was trained on its samples too, so the two may agree on a class that no
other classifier would see. The other two have seen digits alone: the class whose mean picture is
nearest, and linear regression on the classes as unit vectors. `spread` is the mean standard
deviation of a pixel within a class, divided by that of digits.
"""

import numpy as np

import scratchgen as sg

WEIGHTS = (0.3, 1.0, 3.0)  # of the class part of the loss
N, UNSEEN, EPOCHS, SAMPLES = 5_000, 2_000, 24, 2_000
SETTINGS = {"n_labels": 10, "latent": 16, "hidden": (256, 512)}


def flat(x: np.ndarray) -> np.ndarray:
    """x (N, 28, 28, 1) -> (N, 785), with a 1 for the constant term."""
    return np.column_stack([x.reshape(len(x), -1), np.ones(len(x))]).astype(np.float64)


def nearest_mean(x, labels):
    """A classifier: the class whose mean picture is nearest."""
    means = np.stack([flat(x[labels == k]).mean(axis=0) for k in range(10)])  # (10, 785)
    # |x - mean|^2 = |x|^2 - 2 <x, mean> + |mean|^2, and |x|^2 is the same for all classes
    return lambda x: ((means**2).sum(axis=1) - 2 * flat(x) @ means.T).argmin(axis=1)


def linear(x, labels, ridge=1.0):
    """A classifier: linear regression on the classes as unit vectors."""
    rows = flat(x)
    w = np.linalg.solve(rows.T @ rows + ridge * np.eye(785), rows.T @ np.eye(10)[labels])
    return lambda x: (flat(x) @ w).argmax(axis=1)


def spread(x, labels) -> float:
    """The standard deviation of a pixel within a class, a mean over pixels and classes."""
    return float(np.mean([x[labels == k].std(axis=0).mean() for k in range(10)]))


def main() -> None:
    x, labels = sg.data.digits(N, rng=0, return_labels=True)
    unseen, truth = sg.data.digits(UNSEEN, rng=1, return_labels=True)
    others = [nearest_mean(x, labels), linear(x, labels)]
    classes = np.arange(SAMPLES) % 10  # of the samples

    def errors(classifiers, x, labels) -> str:
        return "".join(f"{(classify(x) != labels).mean():14.1%}" for classify in classifiers)

    print(f"{'error on':18}{'its own':>14}{'nearest mean':>14}{'linear':>14}{'spread':>10}")
    print(f"{'digits':18}{'':14}{errors(others, unseen, truth)}{1:10.2f}")
    for weight in WEIGHTS:
        model = sg.models.acgan(x.shape[1:], **SETTINGS, class_weight=weight, rng=0)
        sg.fit(model, x, epochs=EPOCHS, batch_size=128, labels=labels, seed=0)
        samples = model.sample(SAMPLES, rng=0, labels=classes)
        share = spread(samples, classes) / spread(unseen, truth)
        row = f"samples, weight {weight:g}"
        print(f"{row:18}{errors([model.classify, *others], samples, classes)}{share:10.2f}")
        print(f"{'  digits':18}{errors([model.classify], unseen, truth)}")
    sg.plots.sheet(samples[:100], "classes.png", title="a column for each class")


if __name__ == "__main__":
    main()
