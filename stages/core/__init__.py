"""The base of every script: process settings, parameters, outputs, tables, histories and lists."""

from core import process

__all__ = ["process"]
