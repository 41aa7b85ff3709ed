"""Imported first by stages whose libraries use OpenMP: waiting threads spin shortly, then sleep.

Threads that spin on take the cores from those they wait for as soon as anything else runs beside
them: LightGBM on 2 shared cores took five times as long. OpenMP reads both when it is loaded.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "3000")  # of GNU's OpenMP; a few microseconds
