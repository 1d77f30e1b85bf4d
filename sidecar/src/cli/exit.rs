//! Exit codes, all of them. `docs/operations.md` repeats them.

use std::process::ExitCode;

/// What `picket` ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exit(u8);

/// Done.
pub(super) const SUCCESS: Exit = Exit(0);
/// Anything that has no code of its own.
pub(super) const FAILURE: Exit = Exit(1);
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
