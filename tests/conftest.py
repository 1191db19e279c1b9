"""What holds for every test: hypothesis draws the same examples in every run.

A test that fails once in a hundred runs stops whoever comes next, not who broke it. To look for
what nobody has found yet: ``pytest --hypothesis-profile=search --hypothesis-seed=N``.
"""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("house", derandomize=True, print_blob=True)
settings.register_profile("search", derandomize=False, print_blob=True, max_examples=500)
settings.load_profile("house")
