"""LightGBM without its scikit-learn interface.

We do not use that interface, and importing it takes four times as long as the rest of LightGBM.
"""

import sys

if "sklearn" in sys.modules:
    import lightgbm
else:
    sys.modules["sklearn"] = None  # makes its import fail, which LightGBM handles
    try:
        import lightgbm
    finally:
        del sys.modules["sklearn"]

__all__ = ["lightgbm"]
