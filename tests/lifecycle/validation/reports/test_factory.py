from __future__ import annotations

import subprocess
import sys

import pytest

from choria_lifecycle.validation.reports.factory import open_report
from choria_lifecycle.validation.reports.protocol import ReportFormat


@pytest.mark.parametrize("output", ReportFormat)
def test_every_format_has_a_report_that_says_if_a_file_cannot_be_read_or_has_no_document(output: ReportFormat) -> None:
    report = open_report(output, "0.1.0")
    assert bool(report.begin()) == (output in (ReportFormat.SARIF, ReportFormat.JUNIT, ReportFormat.GITLAB))


def test_text_may_have_colours() -> None:
    from choria_lifecycle.validation.reports.protocol import Origin
    from tests.bed.reported import found

    documents = [(1, found("schema-type"))]
    assert "\x1b" in open_report(ReportFormat.TEXT, "0.1.0", color=True).add(Origin("f"), documents, 0)[0]
    assert "\x1b" not in open_report(ReportFormat.TEXT, "0.1.0").add(Origin("f"), documents, 0)[0]


def test_text_does_not_import_the_other_reports() -> None:
    code = (
        "import sys\n"
        "from choria_lifecycle.validation.reports.protocol import ReportFormat\n"
        "from choria_lifecycle.validation.reports.factory import open_report\n"
        "open_report(ReportFormat.TEXT, '0.1.0')\n"
        "print(*(name for name in sys.modules if '.reports.' in name))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.rpartition(".")[2] for name in loaded} == {"factory", "lines", "protocol"}
