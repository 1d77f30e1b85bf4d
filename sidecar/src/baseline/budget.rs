//! How often learned evidence may act for nothing, as it is written.

use picket_engine::learned::{Budget, Rung, Severity};

/// Digits of a budget that is read as a number; with more it is beyond whatever can be meant.
const DIGITS: usize = 18;

/// A budget as it is written: `1 per 30 plugin-days`.
///
/// # Errors
/// It is not written like that, or nobody can mean it; with the way out.
pub fn budget(text: &str) -> Result<Budget, String> {
    let days = text.strip_prefix("1 per ").and_then(|rest| {
        rest.strip_suffix(" plugin-days").or_else(|| rest.strip_suffix(" plugin-day"))
    });
    let is_number = |days: &&str| !days.is_empty() && days.bytes().all(|it| it.is_ascii_digit());
    let Some(days) = days.filter(is_number) else {
        return Err(
            "write one false action in so many days, such as '1 per 30 plugin-days'".to_owned()
        );
    };
    let shortened = if DIGITS < days.len() { "9".repeat(DIGITS) } else { days.to_owned() };
    let days = shortened.parse().unwrap_or(u64::MAX);
    Budget::one_per_days(days).map_err(|error| error.to_string())
}

/// A budget as it is written, of whole days.
#[must_use]
pub fn written(budget: Budget) -> String {
    match budget.time().whole_days() {
        1 => "1 per 1 plugin-day".to_owned(),
        days => format!("1 per {days} plugin-days"),
    }
}

/// How often learned evidence may do what for nothing. What has no budget is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budgets {
    /// Telling somebody.
    pub alert: Option<Budget>,
    /// Freezing.
    pub contain: Option<Budget>,
}

impl Budgets {
    /// The rungs that have a budget, the mildest first.
    #[must_use]
    pub fn rungs(&self) -> Vec<Rung> {
        let of = |severity, budget: Option<Budget>| budget.map(|budget| Rung { severity, budget });
        let both = [of(Severity::Alert, self.alert), of(Severity::Contain, self.contain)];
        both.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_one_in_so_many_plugin_days() {
        for text in ["1 per 30 plugin-days", "1 per 1 plugin-day", "1 per 1000000 plugin-days"] {
            assert_eq!(budget(text).map(written), Ok(text.to_owned()));
        }
        assert_eq!(budget("1 per 30 plugin-days").map(|it| it.time().whole_days()), Ok(30));
    }

    #[test]
    fn a_budget_that_nobody_can_mean_is_refused_with_a_way_out() {
        let complaint = |text: &str| budget(text).unwrap_err();
        assert!(complaint("1 per 0 plugin-days").contains("write at least 1"));
        for huge in ["1000000000000", &"9".repeat(40)] {
            let complaint = complaint(&format!("1 per {huge} plugin-days"));
            assert!(complaint.contains("is beyond 1000000: leave the step out"), "{complaint}");
        }
        for text in [
            "",
            "30",
            "1 per NaN plugin-days",
            "1 per -3 plugin-days",
            "2 per 3 plugin-days",
            "1 per 3 weeks",
        ] {
            assert!(complaint(text).contains("such as '1 per 30 plugin-days'"), "{text}");
        }
    }

    #[test]
    fn what_has_no_budget_is_no_rung() {
        assert_eq!(Budgets::default().rungs(), []);
        let contain = budget("1 per 30 plugin-days").ok();
        let rungs = Budgets { alert: None, contain }.rungs();
        assert_eq!(rungs.len(), 1);
        assert_eq!(rungs[0].severity, Severity::Contain);
    }
}
