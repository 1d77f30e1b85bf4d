//! The kernel matrix: the tests that need a kernel, on Debian's kernels, in QEMU.
//!
//! Software emulation, because a machine that is itself virtual often has no other; so guests prove
//! what happens, never how fast. One boot a kernel, everything in memory, nothing on disk.

mod guest;
mod initramfs;
mod kernels;

use std::collections::VecDeque;
use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use self::kernels::Kernel;
use crate::shell::{self, Failure, Outcome};
use crate::suites::Tally;
use crate::{apt, artifacts, places};

const PACKAGES: [&str; 6] =
    ["qemu-system-x86", "busybox-static", "cpio", "bpftool", "crun", "systemd"];

/// The kernel series of the matrix.
const SERIES: [&str; 2] = ["6.1", "6.12"];

/// What a run of guests was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    series: Vec<String>,
    /// Boot as most distributions do: with a kernel that has the BPF LSM and does not use it.
    bpf_lsm: bool,
    /// Boot with systemd as first process, for the unit file.
    systemd: bool,
    /// Passed to the test programs.
    filter: Vec<String>,
}

/// `cargo xtask vm`.
pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    let mut tally = Tally::default();
    boot_all(&[parse(arguments)?], &mut tally)?;
    println!("{tally}");
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The `vm` suite: every kernel, every test.
pub(crate) fn suite(tally: &mut Tally) -> Outcome {
    // Compiled in and not active: LSM programs load there and never run, so the trace tier must take over.
    let inactive = ["--kernel", "6.1", "--without-bpf-lsm"].map(str::to_owned);
    let managed = ["--kernel", "6.12", "--systemd"].map(str::to_owned);
    boot_all(&[parse(&[])?, parse(&inactive)?, parse(&managed)?], tally)
}

/// One guest to boot.
struct Boot<'a> {
    series: &'a str,
    kernel: Kernel,
    plan: &'a Plan,
}

impl Boot<'_> {
    fn name(&self) -> String {
        let without = if self.plan.bpf_lsm { "" } else { "-without-bpf-lsm" };
        let with = if self.plan.systemd { "-systemd" } else { "" };
        format!("{}{without}{with}", self.series)
    }
}

/// Boots all guests of all plans, as many at once as there are processors: each is one emulator thread.
fn boot_all(plans: &[Plan], tally: &mut Tally) -> Outcome {
    apt::ensure(&PACKAGES)?;
    let mut boots = VecDeque::new();
    for plan in plans {
        for series in &plan.series {
            boots.push_back(Boot { series, kernel: kernels::newest(series)?, plan });
        }
    }
    let programs = artifacts::products()?;
    let filter = plans.first().map(|plan| plan.filter.as_slice()).unwrap_or_default();
    let image =
        shell::step("packing the guest's file system", || initramfs::build(&programs, filter))?;
    let logs = places::scratch("vm")?;
    let at_once = thread::available_parallelism().map_or(1, NonZero::get).min(boots.len());
    let boots = Mutex::new(boots);
    let counted: Vec<(Tally, Vec<String>)> = thread::scope(|scope| {
        let work = || boot_in_turn(&boots, &image, &logs);
        let workers: Vec<_> = (0..at_once).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker only counts")).collect()
    });
    let mut broken = Vec::new();
    for (counted, names) in counted {
        tally.add(counted);
        broken.extend(names);
    }
    if broken.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("guests without a verdict: {}", broken.join(", "))))
    }
}

/// Takes one guest after the other; answers what their tests came to, and the names of those without a verdict.
fn boot_in_turn(
    boots: &Mutex<VecDeque<Boot<'_>>>,
    image: &Path,
    logs: &Path,
) -> (Tally, Vec<String>) {
    let (mut tally, mut broken) = (Tally::default(), Vec::new());
    let next = || boots.lock().expect("a worker only takes from it").pop_front();
    while let Some(boot) = next() {
        // A guest that dies must not hide what the next one would say.
        if let Err(failure) = boot_with_patience(&boot, image, logs, &mut tally) {
            println!("guest {}: {failure}", boot.name());
            broken.push(boot.name());
        }
    }
    (tally, broken)
}

/// A guest that ends without a verdict is booted once more, and that is said: an emulated kernel may die of its
/// emulator. A test that fails is a verdict.
fn boot_with_patience(boot: &Boot<'_>, image: &Path, logs: &Path, tally: &mut Tally) -> Outcome {
    let Err(failure) = guest::boot(boot, image, logs, tally) else {
        return Ok(());
    };
    println!("guest {}: {failure}; it is booted once more", boot.name());
    guest::boot(boot, image, logs, tally)
}

fn parse(arguments: &[String]) -> Outcome<Plan> {
    let mut plan = Plan { series: Vec::new(), bpf_lsm: true, systemd: false, filter: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--kernel" => match rest.next() {
                Some(series) if SERIES.contains(&series.as_str()) => {
                    plan.series.push(series.clone())
                }
                _ => {
                    return Err(Failure::new(format!(
                        "--kernel wants one of {}",
                        SERIES.join(", ")
                    )));
                }
            },
            "--without-bpf-lsm" => plan.bpf_lsm = false,
            "--systemd" => plan.systemd = true,
            "--" => plan.filter = rest.by_ref().cloned().collect(),
            other => {
                return Err(Failure::new(format!(
                    "vm has no option `{other}`; filters go after --"
                )));
            }
        }
    }
    if plan.series.is_empty() {
        plan.series = SERIES.map(str::to_owned).to_vec();
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Plan, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words).map_err(|failure| failure.to_string())
    }

    #[test]
    fn every_kernel_is_booted_unless_one_is_chosen() {
        assert_eq!(plan("").unwrap().series, SERIES);
        assert_eq!(plan("--kernel 6.12").unwrap().series, ["6.12"]);
    }

    #[test]
    fn words_after_the_dashes_are_for_the_test_programs() {
        let plan = plan("--kernel 6.1 -- gate --nocapture").unwrap();
        assert_eq!(plan.filter, ["gate", "--nocapture"]);
    }

    #[test]
    fn an_unknown_kernel_or_option_is_refused_with_what_there_is() {
        assert_eq!(plan("--kernel 5.15").unwrap_err(), "--kernel wants one of 6.1, 6.12");
        assert!(plan("gate").unwrap_err().contains("filters go after --"));
    }
}
