//! `cargo xtask test`: which suites there are, what each proves, and what they sum to.
//!
//! Nothing passes by being skipped: a suite that cannot run counts as a failure, and so does a
//! test that libtest calls ignored. The last line is the verdict over everything that ran.

mod tally;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::shell::{self, Ended, Failure, Outcome};
use crate::{apt, artifacts, ebpf, kubernetes, places, python, tidy, vm};
pub(crate) use tally::Tally;

/// A cold run of everything that takes longer has become a reason not to run it.
pub(crate) const LONGEST: Duration = Duration::from_secs(40 * 60);

/// A suite adds what it counted; a failure is what kept it from counting.
type Suite = fn(&mut Tally) -> Outcome;

const SUITES: [(&str, Suite); 7] = [
    ("tidy", |tally| tally.one(tidy::check())),
    ("lint", lint),
    ("unit", unit),
    ("ebpf", |tally| tally.one(ebpf::is_fresh())),
    ("deploy", deploy),
    ("kernel", |tally| kernel(tally, None)),
    ("vm", |tally| vm::suite(tally)),
];

/// One line of the summary.
struct Row {
    name: &'static str,
    tally: Tally,
    time: Duration,
}

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let chosen = choose(arguments)?;
    let start = Instant::now();
    let rows: Vec<Row> = chosen.into_iter().map(|(name, suite)| run_one(name, suite)).collect();
    println!("\n{:<10}{:>8}{:>8}  time", "suite", "passed", "failed");
    let mut total = Tally::default();
    for Row { name, tally, time } in &rows {
        println!("{name:<10}{:>8}{:>8}  {}", tally.passed, tally.failed, shell::seconds(*time));
        total.add(*tally);
    }
    let time = start.elapsed();
    println!("total time {}", shell::seconds(time));
    if time > LONGEST {
        println!("too slow: the whole run may take {}", shell::seconds(LONGEST));
        total.failed += 1;
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn choose(arguments: &[String]) -> Outcome<Vec<(&'static str, Suite)>> {
    if arguments.is_empty() {
        return Ok(SUITES.to_vec());
    }
    let known = SUITES.map(|(name, _)| name).join(", ");
    arguments
        .iter()
        .map(|wanted| {
            SUITES
                .into_iter()
                .find(|(name, _)| name == wanted)
                .ok_or_else(|| Failure::new(format!("no suite `{wanted}`; there are {known}")))
        })
        .collect()
}

fn run_one(name: &'static str, suite: Suite) -> Row {
    println!("\n#### {name}");
    let start = Instant::now();
    let mut tally = Tally::default();
    if let Err(failure) = suite(&mut tally) {
        println!("suite {name}: {failure}");
        // Failed tests have been counted; a suite that could not run has not.
        tally.failed = tally.failed.max(1);
    }
    let time = start.elapsed();
    println!("#### {name}: {tally} in {}", shell::seconds(time));
    Row { name, tally, time }
}

/// Each check counts as one test, and all of them speak before the suite fails.
fn lint(tally: &mut Tally) -> Outcome {
    let format = tally.one(check("cargo fmt", &["fmt", "--all", "--check"]));
    let fuzz = ["fmt", "--manifest-path=tests/fuzz/Cargo.toml", "--check"];
    let fuzz = tally.one(check("cargo fmt of the fuzz targets", &fuzz));
    let clippy = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny=warnings"];
    let clippy = tally.one(check("cargo clippy", &clippy));
    // `--all-targets` leaves out what plain `cargo test` does not run.
    let product =
        ["clippy", "--quiet", "--package=picket-tests", "--test=*", "--", "--deny=warnings"];
    let product = tally.one(check("cargo clippy of the product tests", &product));
    // For those who have the tool: what it reads changes only with Cargo.lock.
    let deny = if shell::capture(places::cargo().args(["deny", "--version"])).is_ok() {
        tally.one(check("cargo deny", &["deny", "check", "bans", "licenses", "sources"]))
    } else {
        println!("cargo-deny is not installed, so licences and sources are not checked");
        Ok(())
    };
    format.and(fuzz).and(clippy).and(product).and(deny)
}

fn check(name: &str, arguments: &[&str]) -> Outcome {
    shell::step(name, || shell::run(places::cargo().args(arguments)))
}

fn unit(tally: &mut Tally) -> Outcome {
    libtest(tally, places::cargo().args(["test", "--workspace", "--no-fail-fast"]))
}

/// What `deploy/` renders to, judged by the real tools.
fn deploy(tally: &mut Tally) -> Outcome {
    let tools = kubernetes::tools()?;
    let programs = artifacts::products()?;
    let mut command = Command::new(artifacts::find(&programs, "deploy")?);
    command.current_dir(places::repository().join("tests"));
    command.env("PICKET_BIN", artifacts::find(&programs, "picket")?);
    command.env("KUBECTL", tools.kubectl).env("KUBERNETES_VALIDATE", tools.validate);
    libtest(tally, &mut command)
}

/// Probes, gate and command line on the kernel we run on.
fn kernel(tally: &mut Tally, object: Option<&Path>) -> Outcome {
    if !apt::is_root()? {
        return Err(Failure::new(
            "loading kernel programs needs root; run: sudo -E env \"PATH=$PATH\" cargo xtask test \
             kernel",
        ));
    }
    apt::ensure(&["bpftool"])?;
    // Real programs that manifests are suggested for.
    apt::ensure(&["gcc", "git", "gzip", "libc6-dev", "python3", "tar"])?;
    // The command line's tests start a server of their own.
    apt::ensure_without_service("prometheus")?;
    apt::ensure_without_service("prometheus-alertmanager")?;
    // Certificates of servers that tests start.
    apt::ensure(&["openssl"])?;
    // A container runtime and the specification's own schemas, for seccomp profiles that are suggested.
    apt::ensure(&["crun", "golang-github-opencontainers-specs-dev"])?;
    let otlp = python::venv("otlp", &python::OTLP)?;
    let webhooks = python::venv("webhooks", &python::WEBHOOKS)?;
    let programs = artifacts::products()?;
    let mut broken = Vec::new();
    for name in ["kernel", "gate", "cli"] {
        println!("---- {name}");
        let mut command = Command::new(artifacts::find(&programs, name)?);
        command.current_dir(places::repository().join("tests"));
        command.env("PICKET_PYTHON", &otlp);
        command.env("PICKET_BIN", artifacts::find(&programs, "picket")?);
        command.env("PICKET_WEBHOOKS_PYTHON", &webhooks);
        if let Some(object) = object {
            command.env("PICKET_BPF_OBJECT", object);
        }
        // A program that dies must not hide what the next one would say.
        broken.extend(libtest(tally, &mut command).err().map(|failure| failure.to_string()));
    }
    if broken.is_empty() { Ok(()) } else { Err(Failure::new(broken.join("\n"))) }
}

/// The `kernel` suite with another object in place of the committed one.
pub(crate) fn kernel_tests_on(object: &Path) -> Outcome {
    let mut tally = Tally::default();
    kernel(&mut tally, Some(object))?;
    if tally.failed == 0 { Ok(()) } else { Err(Failure::new(format!("kernel tests: {tally}"))) }
}

/// Runs a program that prints libtest's lines; failed tests are counted, other ends are failures.
fn libtest(tally: &mut Tally, command: &mut Command) -> Outcome {
    let before = *tally;
    let ended = shell::stream(command, LONGEST, |line| {
        println!("{line}");
        tally.read(line);
    })?;
    match ended {
        Ended::TimedOut => Err(Failure::new(format!("{} ran too long", shell::shown(command)))),
        Ended::Exited { success: true } if *tally == before => {
            Err(Failure::new(format!("{} ran no test at all", shell::shown(command))))
        }
        Ended::Exited { success: false } if tally.failed == before.failed => {
            Err(Failure::new(format!("{} failed, but no test of it did", shell::shown(command))))
        }
        Ended::Exited { .. } => Ok(()),
    }
}
