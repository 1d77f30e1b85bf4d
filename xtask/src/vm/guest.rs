//! Boots one guest, shows what its tests print, and judges it by its marker lines.
//!
//! The exit code of QEMU says nothing about the guest. A guest that hangs, panics or reboots never
//! prints the last marker, and that is how it fails.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::initramfs::{SERVICE, SUITES};
use super::kernels::Kernel;
use super::{Boot, Plan};
use crate::shell::{self, About, Ended, Failure, Outcome};
use crate::suites::Tally;

/// Emulation is slow and CI machines are shared; a healthy guest needs a third of it.
const LONGEST: Duration = Duration::from_mins(20);

/// Debian's default list, and the same without `bpf`.
const MODULES: &str = "landlock,lockdown,yama,integrity,apparmor";

/// What a guest with systemd is told besides: `init.sh` reads the first word, systemd the others. What it has to say is
/// in its journal, which nobody reads.
const SYSTEMD: &str = " picket.init=systemd systemd.unit=picket-test.target systemd.show_status=0";

pub(super) fn boot(boot: &Boot<'_>, image: &Path, logs: &Path, tally: &mut Tally) -> Outcome {
    let Boot { kernel, plan, .. } = boot;
    let name = boot.name();
    let log = logs.join(format!("{name}.log"));
    let mut file = File::create(&log).about(log.display())?;
    let mut console = Console::default();
    let mut unwritten = None;
    let mut qemu = command(kernel, image, plan);
    let programs: &[&str] = if plan.systemd { &[SERVICE] } else { &SUITES };
    let result = shell::step(&format!("guest {name}: {}", kernel.name), || {
        let ended = shell::stream(&mut qemu, LONGEST, |line| {
            unwritten = writeln!(file, "{line}").err().or(unwritten.take());
            if console.read(line, tally) {
                // Guests speak at the same time.
                println!("{name}: {line}");
            }
        })?;
        match ended {
            Ended::TimedOut => {
                Err(format!("the guest was not done after {}", shell::seconds(LONGEST)))
            }
            Ended::Exited { .. } => console.verdict(programs, !plan.filter.is_empty()),
        }
        .map_err(|why| Failure::new(format!("{why}; its console is in {}", log.display())))
    });
    match unwritten {
        Some(error) => Err(error).about(log.display()),
        None => result,
    }
}

fn command(kernel: &Kernel, image: &Path, plan: &Plan) -> Command {
    let modules = if plan.bpf_lsm { format!("{MODULES},bpf") } else { MODULES.to_owned() };
    let init = if plan.systemd { SYSTEMD } else { "" };
    let mut command = Command::new("qemu-system-x86_64");
    command
        // One emulator thread for both processors. With two, one of them now and then runs into the breakpoint by which
        // the other is patching the kernel's code just then (`Oops: int3` in 6.12, twice in some forty boots).
        .args(["-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "1G"])
        // No network card: it has nothing to talk to, and its boot ROM costs seconds.
        .args(["-nographic", "-no-reboot", "-nic", "none"])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(image)
        .arg("-append")
        .arg(format!("console=ttyS0 quiet loglevel=1 panic=-1 lsm={modules}{init}"));
    command
}

/// What the guest's console has said so far.
#[derive(Debug, Default)]
struct Console {
    /// Tests counted when the running program began; `None` between programs.
    began: Option<Tally>,
    ended: Vec<Program>,
    over: bool,
}

#[derive(Debug)]
struct Program {
    suite: String,
    status: String,
    ran_any: bool,
}

impl Console {
    /// Takes in a line; says whether people want to see it.
    fn read(&mut self, line: &str, tally: &mut Tally) -> bool {
        let Some(marker) = line.strip_prefix("picket-guest ") else {
            tally.read(line);
            return self.began.is_some() || line.starts_with("kernel ");
        };
        match marker.split(' ').collect::<Vec<_>>().as_slice() {
            ["begin", _] => self.began = Some(*tally),
            ["end", suite, status] => self.ended.push(Program {
                suite: (*suite).to_owned(),
                status: (*status).to_owned(),
                ran_any: self.began.take() != Some(*tally),
            }),
            ["over"] => self.over = true,
            _ => {}
        }
        true
    }

    /// Whether every program ran to its end. Failed tests are libtest's to count (its status 101);
    /// any other status is a program that died.
    fn verdict(&self, programs: &[&str], filtered: bool) -> Result<(), String> {
        for suite in programs {
            match self.ended.iter().find(|program| program.suite == *suite) {
                None => return Err(format!("the guest ended before its tests `{suite}` did")),
                Some(Program { status, .. }) if status != "0" && status != "101" => {
                    return Err(format!("the tests `{suite}` ended with status {status}"));
                }
                Some(Program { ran_any: false, .. }) if !filtered => {
                    return Err(format!("the tests `{suite}` are none"));
                }
                Some(_) => {}
            }
        }
        if self.over { Ok(()) } else { Err("the guest did not reach its last line".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console(lines: &[&str]) -> (Console, Tally) {
        let (mut console, mut tally) = (Console::default(), Tally::default());
        for line in lines {
            console.read(line, &mut tally);
        }
        (console, tally)
    }

    const PROGRAMS: [&str; 2] = ["kernel", "gate"];

    const WHOLE: [&str; 7] = [
        "picket-guest begin kernel",
        "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        "picket-guest end kernel 0",
        "picket-guest begin gate",
        "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
        "picket-guest end gate 101",
        "picket-guest over",
    ];

    #[test]
    fn a_guest_that_ran_everything_is_judged_by_its_tests() {
        let (console, tally) = console(&WHOLE);
        assert_eq!(console.verdict(&PROGRAMS, false), Ok(()));
        assert_eq!(tally, Tally { passed: 4, failed: 1 });
    }

    #[test]
    fn a_guest_that_stops_early_has_no_verdict_wherever_it_stops() {
        for n_lines in 0..WHOLE.len() {
            let (console, _) = console(&WHOLE[..n_lines]);
            assert!(console.verdict(&PROGRAMS, false).is_err(), "after {n_lines} lines");
        }
    }

    #[test]
    fn a_test_program_that_dies_is_named() {
        let (console, _) = console(&[
            "picket-guest end kernel 139",
            "picket-guest end gate 0",
            "picket-guest over",
        ]);
        assert_eq!(
            console.verdict(&PROGRAMS, false),
            Err("the tests `kernel` ended with status 139".to_owned())
        );
    }

    #[test]
    fn a_program_without_tests_is_no_proof_unless_a_filter_explains_it() {
        let lines = WHOLE.iter().filter(|line| !line.contains("3 passed")).copied();
        let (console, _) = console(&lines.collect::<Vec<_>>());
        assert_eq!(
            console.verdict(&PROGRAMS, false),
            Err("the tests `kernel` are none".to_owned())
        );
        assert_eq!(console.verdict(&PROGRAMS, true), Ok(()));
    }
}
