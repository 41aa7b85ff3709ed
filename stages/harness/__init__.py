"""What every script shares as a process: its settings, its parameters, its errors and outputs.

Imported before any library: `process` sets what numpy, scipy and OpenMP read when they are loaded.
"""

from harness import process

__all__ = ["process"]
