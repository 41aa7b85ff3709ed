"""LightGBM without its scikit-learn interface, which nothing here uses: importing that takes four
times as long as all the rest of it.
"""

import sys

if "sklearn" in sys.modules:
    import lightgbm
else:
    sys.modules["sklearn"] = None  # makes its import fail, which LightGBM is prepared for
    try:
        import lightgbm
    finally:
        del sys.modules["sklearn"]

__all__ = ["lightgbm"]
