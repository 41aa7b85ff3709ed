"""Makes pictures the same on every machine."""

import matplotlib.pyplot as plt


def prepare() -> None:
    """To be called before a picture is drawn: no screen is needed, and a matplotlibrc of the user,
    or of the folder, is of no influence.
    """
    plt.switch_backend("Agg")
    plt.rcdefaults()
