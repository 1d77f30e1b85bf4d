//! What an answer means for a message, and when it is tried again.

use std::time::{Duration, SystemTime};

/// The first wait is up to this long, each further one up to twice the one before.
const FIRST: Duration = Duration::from_secs(1);
/// No wait of our own is longer.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Nobody may ask for a longer one.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The other side has it.
    Taken,
    /// It is tried again; the other side may have said when.
    Later { why: String, after: Option<Duration> },
    /// The other side wants nothing any more.
    Gone,
    /// Trying it again would not help.
    Never { why: String },
}

/// By the status of a response and its header `retry-after`.
pub(super) fn judge(status: u16, retry_after: Option<&str>, now: SystemTime) -> Answer {
    let why = format!("answered {status}");
    match status {
        200..=299 => Answer::Taken,
        410 => Answer::Gone,
        408 | 425 | 429 | 500..=599 => {
            let after = retry_after.and_then(|text| wait(text, now));
            Answer::Later { why, after }
        }
        // Where it points may be a stranger. Somebody may still put it right.
        300..=399 => {
            Answer::Later { why: format!("{why}, and redirects are not followed"), after: None }
        }
        400..=499 => Answer::Never { why },
        _ => Answer::Later { why: format!("{why}, which is no answer"), after: None },
    }
}

/// Seconds, or a date; an hour at most.
fn wait(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        // A date that is over means now.
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST_ASKED))
}

/// How long to wait after so many failures in a row, at least one: anything between nothing and twice as much as the
/// time before, so that many Pickets do not come back at once. `dice`: any number.
pub(super) fn back_off(failures: u32, dice: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let ceiling = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let ceiling = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(dice % ceiling.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(status: u16, header: &str) -> Option<Duration> {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        match judge(status, Some(header), now) {
            Answer::Later { after, .. } => after,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn two_hundreds_are_taken_and_each_refusal_means_what_its_number_says() {
        let kind = |status| match judge(status, None, SystemTime::now()) {
            Answer::Taken => "taken",
            Answer::Later { .. } => "later",
            Answer::Gone => "gone",
            Answer::Never { .. } => "never",
        };
        for (status, means) in [
            (200, "taken"),
            (204, "taken"),
            (301, "later"),
            (307, "later"),
            (400, "never"),
            (401, "never"),
            (404, "never"),
            (408, "later"),
            (410, "gone"),
            (413, "never"),
            (425, "later"),
            (429, "later"),
            (500, "later"),
            (503, "later"),
            (999, "later"),
        ] {
            assert_eq!(kind(status), means, "{status}");
        }
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept_up_to_an_hour() {
        let seconds = Duration::from_secs;
        assert_eq!(asked(429, "7"), Some(seconds(7)));
        assert_eq!(asked(503, "Sun, 06 Nov 1994 08:50:37 GMT"), Some(seconds(60)));
        assert_eq!(asked(503, "Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked(429, "31536000"), Some(seconds(3600)));
        for nonsense in ["soon", "-1", "", "1e9"] {
            assert_eq!(asked(429, nonsense), None, "{nonsense}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_of_ours_is_within_its_bounds(failures in 1u32.., dice: u64) {
            let wait = back_off(failures, dice);
            prop_assert!(wait <= LONGEST);
            prop_assert!(wait <= FIRST * 2u32.saturating_pow((failures - 1).min(16)));
        }
    }
}
