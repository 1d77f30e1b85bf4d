//! The doctor's report as people read it: what needs doing first, then what is fine, then the table, then the verdict.

use super::{Report, techniques};
use crate::cli::narrate::{DIM, GREEN, RED, YELLOW};
use crate::{
    cli::{narrate::paint, words},
    doctor::{self, Answer, Check, Row, Status, Verdict},
};

/// As wide as the help texts at most.
pub(super) const WIDTH: usize = 100;
/// Where what was found begins.
const INDENT: usize = 31;
/// Where the table's reasons begin.
const REASONS: usize = 44;

/// The whole report.
pub(super) fn text(report: &Report, colour: bool) -> String {
    let mut lines = Vec::new();
    let kernel = report.facts.release.text().unwrap_or("an unknown kernel");
    lines.push(format!(
        "picket {} on Linux {}, {}",
        env!("CARGO_PKG_VERSION"),
        words::text(kernel.as_bytes()),
        report.facts.architecture
    ));
    lines.push(String::new());
    for check in &report.checks {
        lines.extend(check_lines(check, colour));
    }
    lines.push(String::new());
    let (tier, proven) = doctor::expected_tier(&report.facts);
    let basis = match (report.verdict, proven) {
        (Verdict::Unfit, _) => "once the problems are solved",
        (_, true) => "shown by the self-test",
        (_, false) => "expected, not tried",
    };
    lines.push(format!("What a manifest declares, in tier {tier} ({basis}):"));
    lines.push(String::new());
    lines.push(paint(colour, DIM, "  capability     observe  deny     contain  limits"));
    for row in &report.rows {
        lines.extend(row_lines(row, colour));
    }
    lines.push(String::new());
    lines.extend(wrap(&techniques::summary(tier), WIDTH));
    lines.push(String::new());
    lines.extend(verdict_lines(report, colour));
    lines.push(String::new());
    lines.join("\n")
}

fn check_lines(check: &Check, colour: bool) -> Vec<String> {
    let shade = match check.status {
        Status::Problem => RED,
        Status::Warning => YELLOW,
        Status::Unknown => DIM,
        Status::Fine => GREEN,
    };
    let status = paint(colour, shade, &format!("{:<8}", check.status.as_str()));
    let head = format!("  {status}  {:<19}", check.title);
    let found = wrap(&words::text(check.found.as_bytes()), WIDTH - INDENT);
    let mut lines = hung(&head, &found, INDENT);
    if check.status == Status::Problem || check.status == Status::Warning {
        let label = |name: &str| paint(colour, DIM, &format!("{:>29}  ", name));
        lines.extend(hung(&label("why"), &wrap(check.why, WIDTH - INDENT), INDENT));
        if let Some(remedy) = &check.remedy {
            let mut say = wrap(&remedy.say, WIDTH - INDENT);
            if let Some(copy) = &remedy.copy {
                // Whole, however long, so that it can be copied.
                say.push(format!("    {}", words::text(copy.as_bytes())));
            }
            lines.extend(hung(&label("remedy"), &say, INDENT));
        }
    }
    lines
}

fn row_lines(row: &Row, colour: bool) -> Vec<String> {
    let cell = |answer: Answer| {
        let (word, shade) = match answer {
            Answer::Yes => ("yes", GREEN),
            Answer::Partly => ("partly", YELLOW),
            Answer::No => ("no", RED),
            Answer::NotApplicable => ("-", DIM),
        };
        paint(colour, shade, &format!("{word:<7}"))
    };
    let head = format!(
        "  {:<13}  {}  {}  {}  ",
        row.capability,
        cell(row.observe.answer),
        cell(row.deny.answer),
        cell(row.contain.answer)
    );
    let abilities = [("observe", row.observe), ("deny", row.deny), ("contain", row.contain)];
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, ability) in abilities {
        if ability.answer == Answer::Yes || ability.answer == Answer::NotApplicable {
            continue;
        }
        match reasons.iter_mut().find(|(why, _)| *why == ability.why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((ability.why, vec![name])),
        }
    }
    let reasons: Vec<String> = reasons
        .into_iter()
        .flat_map(|(why, names)| wrap(&format!("{}: {why}", names.join(", ")), WIDTH - REASONS))
        .collect();
    hung(&head, &reasons, REASONS)
}

fn verdict_lines(report: &Report, colour: bool) -> Vec<String> {
    let count = |status| report.checks.iter().filter(|check| check.status == status).count();
    let (shade, verdict) = match report.verdict {
        Verdict::Fine => (GREEN, "Picket works here".to_owned()),
        Verdict::Limits => (
            YELLOW,
            format!(
                "Picket works here, with limits: {} above",
                counted(count(Status::Warning), "warning")
            ),
        ),
        Verdict::Unfit => (
            RED,
            format!(
                "Picket cannot work here: {} above",
                counted(count(Status::Problem), "problem")
            ),
        ),
    };
    vec![
        format!("Verdict: {}", paint(colour, shade, &verdict)),
        format!("Next:    {}", words::text(report.next().as_bytes())),
    ]
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The first line behind `head`, the others below it.
pub(super) fn hung(head: &str, text: &[String], indent: usize) -> Vec<String> {
    let mut lines =
        vec![format!("{head}{}", text.first().map_or("", String::as_str)).trim_end().to_owned()];
    lines.extend(text.iter().skip(1).map(|line| format!("{:indent$}{line}", "")));
    lines
}

/// Lines of at most `width` characters, broken at blanks; a longer word stays whole.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("it begins with one line and only grows");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        doctor::{
            Facts, Reading, Trial,
            tests::{passed, unified},
        },
        probe::Tier,
    };

    fn shown(facts: Facts, colour: bool) -> String {
        text(&Report::of(facts), colour).replace(env!("CARGO_PKG_VERSION"), "VERSION")
    }

    #[test]
    fn what_needs_doing_comes_first_and_the_verdict_last() {
        let because = "the kernel refuses LSM programs: Operation not permitted (os error 1)";
        let facts = Facts {
            trial: passed(Tier::Trace, Some(because)),
            compiler: Reading::Absent,
            unprivileged: Reading::Text("0".to_owned()),
            ..unified()
        };
        insta::assert_snapshot!("limits", shown(facts, false));
    }

    #[test]
    fn a_problem_is_told_with_what_to_copy_and_comes_back_in_the_last_line() {
        let facts = Facts {
            lockdown: Reading::Text("none integrity [confidentiality]".to_owned()),
            trial: Trial::Failed("the kernel refuses\u{1b}[2J the program".to_owned()),
            ..unified()
        };
        let sheet = shown(facts, false);
        insta::assert_snapshot!("unfit", sheet);
        assert!(!sheet.contains('\u{1b}'));
    }

    #[test]
    fn colours_are_there_when_they_are_wanted_and_change_no_word() {
        let coloured = shown(unified(), true);
        let mut plain = coloured.clone();
        for colour in [RED, GREEN, YELLOW, DIM, "\u{1b}[0m"] {
            plain = plain.replace(colour, "");
        }
        let trimmed: Vec<&str> = plain.lines().map(str::trim_end).collect();
        let expected = shown(unified(), false);
        assert_eq!(trimmed, expected.lines().collect::<Vec<_>>());
        assert!(coloured.contains(GREEN));
    }

    #[test]
    fn no_line_is_wider_than_the_help_texts_but_one_to_be_copied() {
        let facts = Facts { trial: passed(Tier::Trace, Some("they never run")), ..unified() };
        for line in shown(facts, false).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
