"""Finds ``hierbench`` where it was installed, before ``sys.path`` is asked; see hierbench_build.py.

Runs whenever the interpreter starts, so it imports nothing that is not there already.
"""

import os.path
import sys


class Finder:
    # Of an ordinary installation; the backend appends those of an editable one. __init__ is in the first.
    """Meta-path finder of one name."""

    places = (os.path.join(os.path.dirname(os.path.abspath(__file__)), "hierbench"),)

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Say where ``hierbench`` is; None for every other name."""
        if name != "hierbench":
            return None
        from importlib.util import spec_from_file_location

        source = os.path.join(cls.places[0], "__init__.py")
        return spec_from_file_location(name, source, submodule_search_locations=list(cls.places))


sys.meta_path.insert(0, Finder)
