"""How often a suite comes to the wrong verdict, against what its sequential test promises.

    python benchmarks/error_rates.py [--suites 10000] [--seeds 12]

Simulates suites whose seeds each ground with probability p and stops them as `check` does. At p0 = 0.5 and
below, accepting is wrong (promised: alpha); at p1 = 0.9 and above, rejecting is (promised: beta). Wald's
bounds on a test that overshoots are alpha / (1 − beta) and beta / (1 − alpha). In between nothing is
promised.
"""

import argparse

from groundcheck.grounding.measures.statistics import SequentialTest, measure_error_rates, wilson_interval

RATES = (0.3, 0.5, 0.7, 0.9, 0.97)


def main() -> None:
    """Simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--suites", type=int, default=10_000)
    parser.add_argument("--seeds", type=int, default=12, help="at most so many run")
    options = parser.parse_args()
    test = SequentialTest()
    bounds = {"accepted": test.alpha / (1 - test.beta), "rejected": test.beta / (1 - test.alpha)}
    print(f"{options.suites} suites, at most {options.seeds} seeds, {test}")
    for rate in RATES:
        found = measure_error_rates(test, rate, suites=options.suites, most=options.seeds)
        told = (
            f"p = {rate}: accepted {found.accepted:.4f}, rejected {found.rejected:.4f}, undecided "
            f"{found.undecided:.4f}, {found.seeds:.2f} seeds on average"
        )
        wrong = "accepted" if rate <= test.p0 else "rejected" if rate >= test.p1 else ""
        if wrong:
            share = getattr(found, wrong)
            low, high = wilson_interval(round(share * options.suites), options.suites)
            told += f"; wrong {share:.4f} (95 % {low:.4f} to {high:.4f}), promised {bounds[wrong]:.4f}"
        print(told)


if __name__ == "__main__":
    main()
