"""What people and programs see: the HTTP API under api/, and one package for each page."""

from __future__ import annotations

import importlib
import pkgutil

import azure.durable_functions as df


def blueprints() -> list[df.Blueprint]:
    """The blueprint `bp` of every module in here that has one."""
    modules = pkgutil.walk_packages(__path__, prefix=f"{__name__}.")
    found = [getattr(importlib.import_module(each.name), "bp", None) for each in modules]
    return [bp for bp in found if isinstance(bp, df.Blueprint)]
