"""Imported first by stages whose libraries use OpenMP: lets waiting threads sleep instead of spin.

Spinning threads take the cores from those they wait for as soon as anything else runs beside them:
LightGBM on 2 shared cores took five times as long. OpenMP reads the variable when it is loaded.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
