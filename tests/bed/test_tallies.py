"""Scrapes are parsed, and a tally that does not start raises."""

import pytest

from tests.bed.tallies import Scrape, running_tally

TEXT = r"""# TYPE lifecycle_tally_good_events counter
lifecycle_tally_good_events{active="1",component="server"} 3
lifecycle_tally_good_events{active="1",component="a\"\\\n"} 4
# TYPE lifecycle_tally_gaps_total counter
lifecycle_tally_gaps_total 2
"""


def test_numbers_use_the_names_of_the_tally() -> None:
    numbers = Scrape(TEXT)
    assert numbers.total("good_events") == 7
    assert numbers.total("good_events", component="server", active="1") == 3
    assert numbers.total("gaps") == 2
    assert numbers.total("nodes") == 0
    assert numbers.by("component", "good_events") == {"server": 3, 'a"\\\n': 4}
    assert numbers.series("good_events", component="server") == [({"active": "1", "component": "server"}, 3)]
    assert numbers.texts() == {"1", "server", 'a"\\\n'}


def test_a_tally_that_does_not_start_reports_the_reason() -> None:
    with (
        pytest.raises(TimeoutError, match=r"did not become ready: (?s:.*)--limit cats=1"),
        running_tally("--limit", "cats=1"),
    ):
        pass
