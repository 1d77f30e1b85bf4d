//! `picket config`: everything about the daemon's configuration that starts nothing.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};

use super::{Output, exit, problems};
use crate::config::{self, Config, ConfigError};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a configuration and every manifest it names, as `picket run` would before it starts.
    Check {
        /// The configuration.
        config: PathBuf,
        /// How problems are written.
        #[arg(long, value_enum, default_value = "human")]
        output: Output,
    },
    /// Prints the configuration that would be in force, defaults written out.
    Show {
        /// The configuration.
        config: PathBuf,
    },
    /// Prints the JSON Schema of configurations, for editors.
    Schema,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let done = match &arguments.command {
        Command::Check { config, output } => check(config, *output),
        Command::Show { config } => show(config),
        Command::Schema => {
            write!(io::stdout(), "{}", config::json_schema()).map(|()| exit::SUCCESS)
        }
    };
    done.unwrap_or(exit::FAILURE)
}

fn check(path: &Path, output: Output) -> io::Result<exit::Exit> {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(error) => return refused(&error, output),
    };
    warn(&config, output)?;
    if output == Output::Human {
        let rules = config.sandboxes.len();
        let manifests: std::collections::BTreeSet<_> =
            config.sandboxes.iter().map(|rule| &rule.manifest_path).collect();
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (rules, manifests) = (count(rules, "rule"), count(manifests.len(), "manifest"));
        writeln!(io::stdout(), "{}: good, {rules} and {manifests}", path.display())?;
    }
    Ok(exit::SUCCESS)
}

fn show(path: &Path) -> io::Result<exit::Exit> {
    match config::load(path) {
        Ok(config) => write!(io::stdout(), "{}", config.effective()).map(|()| exit::SUCCESS),
        Err(error) => {
            super::words::error(&error.to_string());
            Ok(exit::CONFIGURATION)
        }
    }
}

fn refused(error: &ConfigError, output: Output) -> io::Result<exit::Exit> {
    error.documents().iter().try_for_each(|document| problems::refused(document, output))?;
    Ok(exit::CONFIGURATION)
}

fn warn(config: &Config, output: Output) -> io::Result<()> {
    config.warnings.iter().try_for_each(|report| problems::report(report, output))
}
