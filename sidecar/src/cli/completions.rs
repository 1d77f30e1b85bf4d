//! `picket completions`: what a shell needs to complete Picket's command line.

use std::io::{self, Write};

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::Shell;

use super::{exit, words};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Kind,
}

/// Shells that can be served.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    Bash,
    Zsh,
    Fish,
    Elvish,
    #[value(name = "powershell")]
    PowerShell,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let shell = match arguments.shell {
        Kind::Bash => Shell::Bash,
        Kind::Zsh => Shell::Zsh,
        Kind::Fish => Shell::Fish,
        Kind::Elvish => Shell::Elvish,
        Kind::PowerShell => Shell::PowerShell,
    };
    // Into memory first: the generator panics when it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut super::Arguments::command(), "picket", &mut script);
    match io::stdout().write_all(&script) {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            words::error(&format!("writing the completions: {error}"));
            exit::FAILURE
        }
    }
}
