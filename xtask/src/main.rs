//! The developers' one door: everything that is done to this repository is a subcommand here.
//!
//! Standard library only, because `cargo xtask demo` on a fresh machine waits for this crate first.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command for people: its output is its result"
)]

mod apt;
mod artifacts;
mod bench;
mod demo;
mod docs;
mod ebpf;
mod eval;
mod fuzz;
mod image;
mod kubernetes;
mod places;
mod python;
mod shell;
mod suites;
mod tidy;
mod vm;

use std::process::ExitCode;

use shell::{Failure, Outcome};

const HELP: &str = "\
cargo xtask: the one door for Picket's developers

Usage: cargo xtask <COMMAND>

Commands:
  demo [ARGS...]     build picket and show it at work: an honest plugin and three rogue ones
  test [SUITE...]    run the test suites, all by default and in this order:
                       tidy     what no lint can see: sizes, headers, links, names
                       lint     rustfmt and clippy, warnings are errors
                       unit     every test that needs no root
                       ebpf     the committed kernel object belongs to the committed sources
                       deploy   what deploy/ renders to, by kubectl and Kubernetes' schemas
                       kernel   probes, gate and command line on this kernel (root)
                       vm       probes, gate, pod and unit file on Debian's 6.1 and 6.12 kernels in QEMU
  ebpf [--check]     rebuild ebpf/picket.bpf.o; --check: prove that the committed one is its build
  vm [--kernel 6.1|6.12] [--without-bpf-lsm | --systemd] [-- FILTER...]
                     the kernel tests in QEMU guests; FILTER goes to the test programs
  docs [--check]     write what is made of sidecar/telemetry.yaml: exportable names and their
                     reference; --check: name what is stale, write nothing
  image              build the static binary of the image, and try it in an empty root (root)
  bench [NAME]       a benchmark in release mode (default: containment)
  eval --simulate [--blocks N --certificates N --seed S --jobs N]
                     bound and power of the evidence detector on simulated plugins, in release mode
  eval --data DIR    detection measured on published data sets in DIR (says which, where absent)
  fuzz [TARGET...] [--seconds N]
                     what strangers can hand to Picket, made up by libFuzzer: baseline, trace,
                     manifest, config, engine (default: each for 60 s)
  tidy               the tidy suite alone
  help               this text

System packages are installed through apt when root; otherwise the line to run is printed.
Downloads that outlive a build are kept in ${XDG_CACHE_HOME:-~/.cache}/picket.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// A subcommand answers with its exit code when it ran, and with a failure when it could not.
fn dispatch(arguments: &[String]) -> Outcome<ExitCode> {
    let Some((command, rest)) = arguments.split_first() else {
        print!("{HELP}");
        return Ok(ExitCode::from(64));
    };
    match command.as_str() {
        "demo" => demo::run(rest),
        "test" => suites::run(rest),
        "ebpf" => ebpf::run(rest),
        "vm" => vm::run(rest),
        "docs" => docs::run(rest),
        "image" => image::run(rest),
        "bench" => bench::run(rest),
        "eval" => eval::run(rest),
        "fuzz" => fuzz::run(rest),
        "tidy" => tidy::run(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(Failure::new(format!("no command `{other}`; see `cargo xtask help`"))),
    }
}
