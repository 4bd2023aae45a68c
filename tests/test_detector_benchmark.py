"""The detectors find what they should, and only that, in thousands of labelled cells."""

from __future__ import annotations

from collections import Counter

import pytest
from tools import detector_benchmark
from tools.detector_cases import SEED, cases
from tools.detector_tables import tables

from pg_guard_mcp.guard.detectors import DETECTORS

PRECISE, COMPLETE = 0.99, 0.99
"""What is measured is better; the same floor holds for another draw of the values."""


def test_the_labelled_set_is_large_and_has_every_detector_in_every_form() -> None:
    made = cases()

    assert len(made) >= 3_000
    assert sum(not case.detector for case in made) >= 1_500
    assert set(Counter(case.detector for case in made)) == {*DETECTORS, ""}
    assert len({case.what for case in made if case.detector}) >= 15
    assert cases() == made


def test_the_tables_have_hundreds_of_cells_and_most_hold_nothing() -> None:
    labels = [label for table in tables() for row in table.labels for label in row]

    assert len(labels) >= 2_000
    assert set(labels) == {*DETECTORS, ""}
    assert labels.count("") > len(labels) / 2


@pytest.mark.parametrize("seed", [SEED, 1, 2])
@pytest.mark.parametrize("judge", [detector_benchmark.judge_cases, detector_benchmark.judge_tables])
def test_no_detector_falls_below_its_floor(judge: detector_benchmark.Judge, seed: int) -> None:
    scores, misses, _ = judge(seed)

    assert [score for score in scores if score.precision < PRECISE] == [], misses
    assert [score for score in scores if score.recall < COMPLETE] == [], misses


def test_a_miss_and_a_false_alarm_are_both_counted() -> None:
    misses = [
        detector_benchmark.Miss("iban", "bare", "DE00", "DE00"),
        detector_benchmark.Miss("", "bare", "4111", "[payment-card]"),
    ]

    scores = {score.detector: score for score in detector_benchmark.scored(["iban"], misses)}

    assert scores["iban"][1:] == (1, 1, 0)
    assert (scores["iban"].recall, scores["iban"].precision) == (0.5, 1.0)
    assert scores["payment-card"][1:] == (0, 0, 1)
    assert (scores["payment-card"].recall, scores["payment-card"].precision) == (1.0, 0.0)


def test_the_command_prints_a_line_for_each_detector(capsys: pytest.CaptureFixture[str]) -> None:
    code = detector_benchmark.main(["--no-speed", "--misses"])

    said = capsys.readouterr().out
    assert code == 0
    assert all(said.count(f"\n  {detector} ") == 2 for detector in DETECTORS)
