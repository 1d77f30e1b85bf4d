//! What is seen of each way to get past a sentry, in this node's tier: for people and for machines.

use serde_json::{Value, json};

use super::sheet::{WIDTH, hung, wrap};
use crate::{
    cli::narrate::{DIM, GREEN, RED, YELLOW, paint},
    doctor::{Sight, TECHNIQUES},
    probe::Tier,
};

/// Where the words begin.
const INDENT: usize = 18;

/// How many of each kind, in one line.
pub(super) fn summary(tier: Tier) -> String {
    let count = |sight: Sight| {
        let n_of_them = TECHNIQUES.iter().filter(|one| one.claim(tier).sees == sight).count();
        format!("{n_of_them} {}", meaning(sight))
    };
    format!(
        "Of {} known ways to get past a sentry: {}. `picket doctor --techniques` names them.",
        TECHNIQUES.len(),
        Sight::ALL.map(count).join(", ")
    )
}

/// All of them, what is seen least first.
pub(super) fn list(tier: Tier, colour: bool) -> String {
    let mut all: Vec<_> = TECHNIQUES.iter().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.claim(tier).sees));
    let mut lines = vec![format!("What is seen of each technique, in tier {tier}:"), String::new()];
    for technique in all {
        let claim = technique.claim(tier);
        let sees = paint(colour, shade(claim.sees), &format!("{:<9}", claim.sees.as_str()));
        let head = format!("  {:<4}  {sees} ", technique.id);
        lines.extend(hung(&head, &wrap(&plain(technique.what), WIDTH - INDENT), INDENT));
        let how = wrap(&plain(claim.how), WIDTH - INDENT);
        lines.extend(how.iter().map(|line| format!("{:INDENT$}{}", "", paint(colour, DIM, line))));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// All of them, by number.
pub(super) fn values(tier: Tier) -> Value {
    TECHNIQUES
        .iter()
        .map(|technique| {
            let claim = technique.claim(tier);
            json!({
                "technique": technique.id,
                "what": plain(technique.what),
                "sees": claim.sees.as_str(),
                "how": plain(claim.how),
            })
        })
        .collect()
}

const fn meaning(sight: Sight) -> &'static str {
    match sight {
        Sight::Object => "are judged on the kernel's own object",
        Sight::Prevented => "are prevented where Picket starts the plugin",
        Sight::Call => "by the call alone",
        Sight::Nothing => "go unseen",
    }
}

const fn shade(sight: Sight) -> &'static str {
    match sight {
        Sight::Object | Sight::Prevented => GREEN,
        Sight::Call => YELLOW,
        Sight::Nothing => RED,
    }
}

/// The table is written for a page, with marks around code.
fn plain(text: &str) -> String {
    text.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_unseen_comes_first() {
        let list = list(Tier::Trace, false);
        let rows: Vec<&str> = list
            .lines()
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .collect();
        assert_eq!(rows.len(), TECHNIQUES.len());
        assert!(rows[0].contains("nothing"), "{}", rows[0]);
        assert!(rows[rows.len() - 1].contains("object"), "{}", rows[rows.len() - 1]);
    }

    #[test]
    fn the_numbers_add_up() {
        for tier in [Tier::Lsm, Tier::Trace] {
            let summary = summary(tier);
            let numbers: Vec<usize> =
                summary.split_whitespace().filter_map(|word| word.parse().ok()).collect();
            assert_eq!(numbers[0], numbers[1..].iter().sum::<usize>(), "{summary}");
        }
    }
}
