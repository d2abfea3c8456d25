from __future__ import annotations

import pytest

from choria_lifecycle.errors import ConfigError
from choria_lifecycle.tally.limits import LIMITS, Limits


@pytest.mark.parametrize("name", LIMITS)
def test_a_limit_below_one_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"the limit {name}=0 is too low; the minimum is 1"):
        Limits(**{name: 0})
    assert getattr(Limits(**{name: 1}), name) == 1
