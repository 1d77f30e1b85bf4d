//! Counts tests, from the lines that libtest prints.

use std::fmt;

use crate::shell::Outcome;

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts a check that is no libtest run as one test.
    pub(crate) fn one(&mut self, result: Outcome) -> Outcome {
        match result {
            Ok(()) => self.passed += 1,
            Err(_) => self.failed += 1,
        }
        result
    }

    /// Adds what a summary line of libtest says; any other line adds nothing.
    pub(crate) fn read(&mut self, line: &str) {
        let Some(summary) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| {
            summary
                .split(['.', ';'])
                .filter_map(|part| part.trim().split_once(' '))
                .find(|(_, name)| *name == word)
                .and_then(|(number, _)| number.parse::<u64>().ok())
                .unwrap_or(0)
        };
        self.passed += count("passed");
        // A test that was told not to run proves nothing, and must not look as if it did.
        self.failed += count("failed") + count("ignored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, passed: u64, failed: u64) {
        let mut tally = Tally::default();
        tally.read(line);
        assert_eq!(tally, Tally { passed, failed }, "{line}");
    }

    #[test]
    fn a_summary_line_adds_its_counts() {
        check(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.10s",
            12,
            0,
        );
        check(
            "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
            7,
            2,
        );
    }

    #[test]
    fn an_ignored_test_counts_as_failed() {
        check("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", 3, 1);
    }

    #[test]
    fn a_line_that_only_mentions_results_adds_nothing() {
        check("test lanes::the_test_result_is_ok ... ok", 0, 0);
        check("running 4 tests", 0, 0);
    }

    #[test]
    fn a_check_that_fails_is_one_failure_and_still_an_error() {
        let mut tally = Tally::default();
        assert!(tally.one(Err(crate::shell::Failure::new("no"))).is_err());
        assert!(tally.one(Ok(())).is_ok());
        assert_eq!(tally.to_string(), "1 passed, 1 failed");
    }
}
