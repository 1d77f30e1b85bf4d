//! Exit codes, all of them. The table in `docs/operations.md` says which subcommand means what by them.

use std::process::ExitCode;

/// What `picket` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(u8);

/// Done.
pub(super) const SUCCESS: Exit = Exit(0);
/// Anything that has no code of its own.
pub(super) const FAILURE: Exit = Exit(1);
/// `doctor`: Picket works on this node, with limits.
pub(super) const LIMITS: Exit = Exit(2);
/// `doctor`: Picket cannot work on this node.
pub(super) const UNFIT: Exit = Exit(3);
/// Done, and there is something to look at: warnings of `manifest lint`, departures of `simulate`, differences of
/// `manifest diff`.
pub(super) const FINDINGS: Exit = Exit(3);
/// The command line, the configuration or the manifest is wrong; nothing was started.
pub(super) const CONFIGURATION: Exit = Exit(64);
/// `exec`: Picket stopped the plugin.
pub(super) const CONTAINED: Exit = Exit(120);
/// `exec --record`: the plugin ended by itself, and its trace is not all there.
pub(super) const NOT_RECORDED: Exit = Exit(121);
/// `exec`: Picket itself could not do its work; the plugin was not started, or was ended for safety.
pub(super) const PICKET: Exit = Exit(125);
/// `exec`: the entry point is there and cannot be executed.
pub(super) const NOT_EXECUTABLE: Exit = Exit(126);
/// `exec`: there is no such entry point.
pub(super) const NOT_FOUND: Exit = Exit(127);

impl Exit {
    /// The plugin's own code.
    pub(super) fn of_plugin(code: i32) -> Self {
        u8::try_from(code & 0xff).map_or(FAILURE, Self)
    }

    /// The plugin died of a signal that was not Picket's: 128 and the number, as shells say it.
    pub(super) fn of_signal(signal: i32) -> Self {
        u8::try_from(128 + (signal & 0x7f)).map_or(FAILURE, Self)
    }

    /// The number, for reports.
    pub(super) fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Where the table is, and how it begins.
static DOCUMENTATION: &str = include_str!("../../../docs/operations.md");
const TABLE: &str = "| code | of | meaning |\n|---|---|---|\n";

/// A line of the table of exit codes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Documented {
    /// `0`, `64`, `128 + n`, ….
    pub(super) number: &'static str,
    of: &'static str,
    meaning: &'static str,
}

/// The table of exit codes, so that whoever repeats it says the same.
pub(super) fn documented() -> impl Iterator<Item = Documented> {
    let (_, table) = DOCUMENTATION.split_once(TABLE).unwrap_or_default();
    table.lines().take_while(|line| line.starts_with('|')).filter_map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(str::trim);
        Some(Documented { number: cells.next()?, of: cells.next()?, meaning: cells.next()? })
    })
}

impl Documented {
    /// Whether the subcommand (`exec`, `manifest lint`) can end with it.
    pub(super) fn is_of(&self, subcommand: &str) -> bool {
        let without_options = |of: &'static str| of.trim_matches('`').split(" --").next();
        self.of == "all" || self.of.split(", ").any(|of| without_options(of) == Some(subcommand))
    }

    /// The meaning as a sentence; with the subcommand, where there are others.
    pub(super) fn sentence(&self, among_others: bool) -> String {
        let mut letters = self.meaning.chars();
        let first =
            letters.next().map_or_else(String::new, |letter| letter.to_uppercase().collect());
        let meaning = format!("{first}{}.", letters.as_str()).replace('`', "");
        if among_others && self.of != "all" {
            format!("({}) {meaning}", self.of.replace('`', ""))
        } else {
            meaning
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_has_every_code_there_is() {
        let constants: Vec<&str> = include_str!("exit.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub(super) const ")?.split_once(": Exit = Exit("))
            .map(|(_, number)| number.trim_end_matches(");"))
            .collect();
        assert!(9 <= constants.len(), "{constants:?}");
        for constant in constants {
            assert!(documented().any(|code| code.number == constant), "no {constant} in the table");
        }
    }

    #[test]
    fn every_line_of_the_table_is_whole() {
        let numbers: Vec<&str> = documented().map(|code| code.number).collect();
        assert_eq!((numbers.first(), numbers.last()), (Some(&"0"), Some(&"other")));
        for code in documented() {
            let is_marked = code.of.split(", ").all(|of| of.starts_with('`') && of.ends_with('`'));
            assert!(code.of == "all" || is_marked, "{code:?}");
            assert!(!code.meaning.is_empty(), "{code:?}");
        }
    }
}
