//! What trying showed: the kernel side loaded, every hook proven, and which tier came of it.

use std::{path::Path, time::Instant};

use super::{Check, Facts, Reading, Trial, kernel::no_securityfs};
use crate::{
    probe::{Probe, Settings, Tier, canary::CanaryError},
    session::{self, SessionError},
    supervisor::CgroupRoot,
};

/// The self-test's own sandbox is the only one.
const SANDBOXES: u32 = 1;

/// Loads the kernel side and runs the self-test, as every start of Picket does. Sweeps nothing, leaves nothing.
/// `program` is the `picket` binary.
#[must_use]
pub fn try_out(program: &Path) -> Trial {
    prove(program).unwrap_or_else(|error| Trial::Failed(error.to_string()))
}

fn prove(program: &Path) -> Result<Trial, SessionError> {
    let begun = Instant::now();
    let root = CgroupRoot::find()?;
    let mut probe = Probe::load(Settings { max_sandboxes: SANDBOXES, refusals: false })?;
    let mut rings = probe.take_rings().ok_or(CanaryError::NoRings)?;
    let (proof, _) = session::prove(&mut probe, &mut rings, &root, program)?;
    let report = probe.tier().clone();
    Ok(Trial::Passed {
        tier: report.tier,
        because: report.because,
        hooks: proof.hooks,
        lacking: probe.lacking().to_vec(),
        took: begun.elapsed(),
    })
}

pub(super) fn self_test(facts: &Facts) -> Check {
    let check = Check::new(
        "self_test",
        "Self-test",
        "One act through every hook must arrive and agree with what is known by other means.",
    );
    match &facts.trial {
        Trial::Skipped(why) => check.unknown(format!("not run: {why}")),
        Trial::Passed { hooks, took, .. } => {
            check.fine(format!("passed: {} acts seen, {} ms", hooks.len(), took.as_millis()))
        }
        Trial::Failed(said) => check.problem(format!("failed: {said}")).copy(
            "solve the other problems first; if there are none, please report what this says",
            "PICKET_LOG=debug picket doctor --output json",
        ),
    }
}

pub(super) fn tier(facts: &Facts) -> Check {
    let check = Check::new(
        "tier",
        "LSM programs",
        "With them Picket sees files as they are opened (tier lsm); without them when the call \
         returns (tier trace), which misses opens by io_uring and by 32-bit calls.",
    );
    let modules = &facts.modules;
    let listed = is_listed(modules);
    match (&facts.trial, modules, listed) {
        (Trial::Passed { tier: Tier::Lsm, lacking, .. }, ..) if lacking.is_empty() => {
            check.fine("tier lsm: they load and run")
        }
        (Trial::Passed { tier: Tier::Lsm, lacking, .. }, ..) => check.fine(format!(
            "tier lsm: they load and run; this kernel has no {} (docs/kernels.md says what that leaves)",
            lacking.join(", ")
        )),
        (Trial::Passed { because, .. }, _, Some(true)) => check
            .warning(format!(
                "tier trace: bpf is listed ({}), but {}",
                modules.text().unwrap_or_default(),
                refusal(because.as_deref()),
            ))
            .remedy(
                "no boot parameter helps, this kernel refuses them; one that allows LSM programs \
                 gives the tier lsm",
            ),
        (Trial::Passed { .. }, Reading::Text(list), _) => {
            add_bpf(check.warning(format!("tier trace: bpf is not in the list ({list})")), list)
        }
        (Trial::Passed { because, .. }, ..) => check
            .warning(format!("tier trace: {}", because.as_deref().unwrap_or("they do not run")))
            .remedy("look at /sys/kernel/security/lsm: is bpf in it?"),
        (_, Reading::Text(list), Some(false)) => add_bpf(
            check.warning(format!("bpf is not in the list ({list}): the tier would be trace")),
            list,
        ),
        (_, Reading::Text(list), _) => {
            check.fine(format!("bpf is listed ({list}); whether they load was not shown"))
        }
        (_, Reading::Refused(said), _) => check.unknown(no_securityfs(said)),
        (_, Reading::Absent, _) => {
            check.unknown("securityfs has no list: this kernel may have no security modules")
        }
    }
}

fn add_bpf(check: Check, list: &str) -> Check {
    check.copy(
        "put this on the kernel's command line (on Debian: GRUB_CMDLINE_LINUX in /etc/default/grub, \
         then update-grub) and boot again",
        if list.is_empty() { "lsm=bpf".to_owned() } else { format!("lsm={list},bpf") },
    )
}

/// Kernels that list `bpf` and refuse all the same are known by `EPERM`.
fn refusal(because: Option<&str>) -> &str {
    match because {
        Some(because) if because.contains("(os error 1)") => {
            "the kernel refuses to load LSM programs all the same (EPERM)"
        }
        Some(because) => because,
        None => "they do not run",
    }
}

/// `None` when nobody knows.
fn is_listed(modules: &Reading) -> Option<bool> {
    modules.text().map(|list| list.split(',').any(|module| module == "bpf"))
}

/// The tier that runs, or would by what could be read; `true` with it when that was shown by trying.
#[must_use]
pub fn expected_tier(facts: &Facts) -> (Tier, bool) {
    match &facts.trial {
        Trial::Passed { tier, .. } => (*tier, true),
        _ if is_listed(&facts.modules) == Some(true) => (Tier::Lsm, false),
        _ => (Tier::Trace, false),
    }
}
