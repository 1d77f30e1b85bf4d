//! `cargo xtask eval`: how well Picket detects, measured by what runs in production, and on simulated plugins.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people")]

mod data;
mod simulate;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask eval: how well Picket detects

Usage: cargo xtask eval --data DIR [--out DIR] [--seed N]
       cargo xtask eval --simulate [OPTIONS]    (its own help: --simulate --help)

  --data DIR   the published data sets, see docs/sequences.md for their layout
  --out DIR    where figures (JSON) and plots (SVG) go; default: eval in the target directory
  --seed N     of the table's hash, the shuffles and the bootstrap; default 1
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("--data") => data::main(&arguments),
        Some("--simulate") => simulate::main(&arguments),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Some(other) => {
            eprintln!("eval begins with --data DIR or --simulate, not with `{other}`\n\n{HELP}");
            ExitCode::from(64)
        }
        None => {
            eprint!("{HELP}");
            ExitCode::from(64)
        }
    }
}
