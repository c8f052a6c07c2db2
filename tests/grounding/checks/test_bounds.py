"""The figures that verdicts hang on, once more: who changes one changes what published reports mean.

Only what no other test holds from either side, as it is a size, a margin or a number of tries.
"""

import importlib
from typing import Any

import pytest

BOUNDS: dict[str, dict[str, Any]] = {
    "bars": {"HIGH": 0.95, "LEAST": 0.90},
    "results.accounting": {"MIN_SHARE_RAN": 0.25},
    "checks.abstain": {"MAX_ERROR": 0.10},
    "checks.audit": {
        "STEPS": 44, "BATCH": 32, "RELABELLINGS": 3, "FEW_STEPS": 4, "NUDGES": 3, "NEGLIGIBLE": 1e-4,
        "NOISY_PAIRS": 24, "NOISE_ERROR": 1e-3,
    },
    "checks.audit_masked": {"PARALLEL": 0.999},
    "checks.audit_movement": {"MARGIN": 10.0, "ROUNDING": 1e-6},
    "checks.audit_runs": {"RATE": 0.01, "LARGE": 8},
    "checks.beyond": {"MAX_DROP": 0.10, "NO_CEILING": 0.05},
    "checks.bypass": {"MIN_PUZZLES": 10, "KEPT_SHARE": 0.5, "KEPT_SHARE_CORRUPTED": 0.9},
    "checks.joint": {"MAX_PUZZLES": 1000},
    "checks.leak": {"PUZZLES": 24, "BATCH": 8, "NOISY_PAIRS": 12, "NOISE_ERROR": 5e-3},
    "checks.perception": {"ROUNDING": 1e-4, "SURE": 1e-4},
    "checks.robust": {"HANDED_BACK": 0.9},
    "checks.task_checks": {"SIZE": 200, "PROVED": 50, "FEW": 0.9},
    "checks.contract.behaviour_checks": {"ROUNDING": 1e-4, "SINGLE_ROWS": 8},
    "checks.contract.claim_checks": {
        "POSTERIOR_TOLERANCE": 1e-5, "SHAPES": ((2, 2, 2, 2), (3, 3, 3), (3, 2, 4)),
        "SYMMETRY_TOLERANCE": 1e-4, "SYMMETRIES": 4,
    },
    "checks.contract.finite_differences": {
        "DOMAINS": (3, 2, 4), "STEPS": (3e-3, 1e-3, 1e-4, 1e-5, 1e-6), "DIRECTIONS": 2,
        "BATCH_DIRECTIONS": 3, "ALL_DIRECTIONS": 12, "NEGLIGIBLE": 1e-3,
    },
    "checks.contract.foreknowledge_checks": {
        "SEEDS": 5, "RENAMINGS": 20, "UNTRAINED_PUZZLES": 100, "CHANCE_MARGIN": 0.1, "ORDER_MARGIN": 0.1,
        "STEPS": (2, 20), "ROWS_PER_STEP": 16, "RATES": (1e-2, 1.0), "LEARNERS": 5, "LEAD": 0.25,
    },
    "checks.contract.gradient_checks": {
        "RELATIVE": 0.1, "RELATIVE_TRAINING": 0.3, "RELATIVE_EXACT": 1e-4, "COSINE": 0.99,
        "COARSE_COSINE": 0.9, "STEP_LENGTHS": (1e-1, 1e-2, 1e-3, 1e-4, 1e-5), "FOLLOWED": 12,
        "FOLLOWED_CELLS": 10_000, "BELIEF_STEP": 1.0, "PARAMETER_RATE": 1e-2,
    },
    "checks.contract.noise": {"DRAWS": (16, 32, 64), "FLIPS": 20_000, "MOVES": 1e-3, "RESTS": 0.2},
    "checks.contract.random_problem": {"ROWS": 6},
    "checks.contract.subject": {
        "ROWS": 8, "LARGE_SAMPLE_BELIEFS": 40_000, "MIN_LARGE_SAMPLE_ROWS": 16, "MAX_LARGE_SAMPLE_ROWS": 1000,
    },
    "checks.contract.symmetry": {"MAX_CLAUSES": 20_000, "ATTEMPTS": 40},
    "measures.abstention": {
        "COVERAGES": (0.8, 0.9, 0.95), "POINTS": 20, "RESAMPLED": 200, "SURE": 0.9, "SILENT": 0.5,
        "FEW_WRONG": 0.1, "MANY_WRONG": 0.05, "SPEAKS": 0.05,
    },
    "measures.acquired_rules": {"CONFLICTS": 20_000},
    "measures.identifiability": {"MAX_RELABELLINGS": 20_000, "SHOWN_MAPS": 3},
    "measures.interface": {"SATURATED": 0.01, "FLOOR": 1e-6, "RIDGE": 1e-3},
    "measures.interventions": {"MIN_DETERMINED": 10, "CLEAR_OF_CHANCE": 0.1, "FOLLOWED_SHARE": 0.8},
    "measures.joint_shortcuts": {"MAX_PARTITIONS": 20_000, "SHOWN": 3},
    "measures.renaming": {"SIGNIFICANCE": 1e-3},
    "measures.report_samples": {"BOARDS": 3, "BINS": 10},
    "measures.robustness": {
        "RATES": (0.0, 0.1, 0.2, 0.4, 0.6), "MARGIN": 0.10, "CONFIDENCE": 0.95,
    },
}  # fmt: skip


@pytest.mark.parametrize("module", BOUNDS)
def test_a_figure_that_decides_is_what_reports_were_written_with(module: str) -> None:
    home = importlib.import_module(f"groundcheck.grounding.{module}")
    assert {name: getattr(home, name) for name in BOUNDS[module]} == BOUNDS[module]
