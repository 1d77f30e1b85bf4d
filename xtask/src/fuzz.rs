//! `cargo xtask fuzz`: what strangers can hand to Picket, made up by libFuzzer.
//!
//! Coverage counters are LLVM's and part of every toolchain, so the pinned compiler does it: no nightly, no `cargo fuzz`.
//! What is found stays in the target directory, and is copied from there into a test beside the code that it broke.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::shell::{self, About, Failure, Outcome};
use crate::{apt, artifacts, places};

const TARGETS: [&str; 5] = ["baseline", "trace", "manifest", "config", "engine"];
/// Long enough to reach what the seeds do not, short enough for everybody.
const SECONDS: u32 = 60;
/// Longer ones find nothing that shorter ones do not, slowly.
const LONGEST_INPUT: u32 = 64 << 10;
/// A single try that takes longer, or more memory, is a finding.
const SECONDS_A_TRY: u32 = 10;
const MEMORY_MIB: u32 = 2048;

/// What libFuzzer needs of every crate: a counter for each edge, and the operands of comparisons.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
                     -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";
/// Named, so that the flags are not for build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

#[derive(Debug, PartialEq, Eq)]
struct Wish {
    targets: Vec<&'static str>,
    seconds: u32,
}

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let wish = parse(arguments)?;
    // libFuzzer itself.
    apt::ensure(&["g++"])?;
    let place = places::scratch("fuzz")?;
    shell::step("writing seeds", || seeds(&place))?;
    let mut broken = Vec::new();
    for target in wish.targets {
        let program = shell::step(&format!("building {target}"), || build(target))?;
        let fuzzed = shell::step(&format!("fuzzing {target} for {} s", wish.seconds), || {
            fuzz(&program, target, &place, wish.seconds)
        });
        broken.extend(fuzzed.err().map(|failure| failure.to_string()));
    }
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(broken.join("\n")))
}

fn parse(arguments: &[String]) -> Outcome<Wish> {
    let mut wish = Wish { targets: Vec::new(), seconds: SECONDS };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let seconds = arguments.next().and_then(|seconds| seconds.parse().ok());
            // For libFuzzer, 0 means for ever.
            wish.seconds = seconds
                .filter(|seconds| 0 < *seconds)
                .ok_or_else(|| Failure::new("--seconds wants a number of 1 or more"))?;
            continue;
        }
        let known = TARGETS.into_iter().find(|target| target == argument);
        wish.targets.push(known.ok_or_else(|| {
            Failure::new(format!("no target `{argument}`; there are {}", TARGETS.join(", ")))
        })?);
    }
    if wish.targets.is_empty() {
        wish.targets = TARGETS.to_vec();
    }
    Ok(wish)
}

/// Files as Picket writes them, made by the `picket` of this checkout.
fn seeds(place: &Path) -> Outcome {
    let name = "fuzz-seeds";
    let mut command = places::cargo();
    let program =
        artifacts::program(command.args(["build", "--package=picket-tests", "--bin", name]), name)?;
    shell::run(Command::new(program).arg(places::repository()).arg(place.join("seeds")))
}

fn build(target: &str) -> Outcome<PathBuf> {
    let mut command = places::cargo();
    command.current_dir(places::repository().join("tests/fuzz")).env("RUSTFLAGS", FLAGS);
    command.args(["build", "--release", "--locked", "--target", PLATFORM, "--bin", target]);
    command.arg("--target-dir").arg(places::target()?.join("fuzz"));
    artifacts::program(&mut command, target)
}

/// What it finds interesting is kept for the next time; what breaks it is named in its last lines.
fn fuzz(program: &Path, target: &str, place: &Path, seconds: u32) -> Outcome {
    let corpus = place.join("corpus").join(target);
    let found = place.join("found").join(target);
    for directory in [&corpus, &found] {
        std::fs::create_dir_all(directory).about(directory.display())?;
    }
    let mut command = Command::new(program);
    command.arg(corpus).arg(place.join("seeds").join(target));
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-max_len={LONGEST_INPUT}"));
    command.arg(format!("-timeout={SECONDS_A_TRY}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}"));
    command.arg(format!("-artifact_prefix={}/", found.display()));
    command.args(["-print_final_stats=1", "-verbosity=0"]);
    // Some targets name files, standard input among them.
    command.stdin(std::process::Stdio::null());
    shell::run(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Wish, String> {
        let arguments: Vec<String> = arguments.iter().map(|it| (*it).to_owned()).collect();
        parse(&arguments).map_err(|failure| failure.to_string())
    }

    #[test]
    fn without_a_name_every_target_is_fuzzed() {
        assert_eq!(parsed(&[]), Ok(Wish { targets: TARGETS.to_vec(), seconds: SECONDS }));
    }

    #[test]
    fn targets_and_time_are_taken_as_they_are_named() {
        let wish = Wish { targets: vec!["trace", "engine"], seconds: 300 };
        assert_eq!(parsed(&["trace", "--seconds", "300", "engine"]), Ok(wish));
    }

    #[test]
    fn what_is_no_target_and_no_time_is_refused_with_a_way_out() {
        let error = parsed(&["kernel"]).unwrap_err();
        assert!(error.contains("there are baseline, trace, manifest, config, engine"), "{error}");
        for seconds in [&["--seconds"][..], &["--seconds", "0"], &["--seconds", "long"]] {
            assert!(parsed(seconds).unwrap_err().contains("1 or more"));
        }
    }

    #[test]
    fn every_target_has_a_program() {
        let file = places::repository().join("tests/fuzz/Cargo.toml");
        let text = std::fs::read_to_string(file).unwrap();
        for target in TARGETS {
            assert!(text.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        }
        assert_eq!(text.matches("[[bin]]").count(), TARGETS.len());
    }
}
