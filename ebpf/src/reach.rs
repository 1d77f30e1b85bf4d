//! A task of a sandbox reaches for a process: whose it is, and the record if it is not of the sandbox.

use aya_ebpf::{macros::map, maps::Array};
use picket_abi::{Lost, Reach, hook, kind, whose};

use crate::{
    count::{self, Done},
    kernel::{Object, offset},
    output::{self, Ring},
    scope::{self, Scope},
    seen::Seen,
};

/// Picket's own process. Key: 0. Value: its number in the initial pid namespace, 0 while unknown. Writer: picket, which
/// learns it in the self-test: inside a pid namespace nobody tells it. Reader: the hooks that ask whose a process is.
#[map]
static PICKET: Array<u32> = Array::with_max_entries(1, 0);

/// Processes and peers outside that were reached for in this epoch, 2,048. A deed is how, for whom, and since when that one
/// runs: numbers are used again. Writer and reader: the reach and peer hooks.
#[map]
pub static SEEN_REACHES: Seen<4, 8> = Seen::new();

/// Counts that the current task reaches for `target`, and reports it if the target is not of the same sandbox.
#[inline(always)]
pub fn observe(how: u32, number: u32, target: Object) {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::REACH, || report(&scope, how, number, target));
    }
}

/// A firing that is no deed of the task: the kernel's own doing.
#[inline(always)]
pub fn pass() {
    if let Some(scope) = scope::current() {
        count::account(&scope, hook::REACH, || Ok(Done::Filtered));
    }
}

#[inline(always)]
fn report(scope: &Scope, how: u32, number: u32, target: Object) -> Result<Done, Lost> {
    let tgid: u32 = target.load(offset!(task_tgid));
    let whose = match scope::of_task(target) {
        Some(there) if there.slot == scope.slot => return Ok(Done::Filtered),
        Some(_) => whose::SANDBOX,
        None if PICKET.get(0).is_some_and(|own| *own == tgid) => whose::PICKET,
        None => whose::OUTSIDE,
    };
    // Signals and modes are below 2^16.
    let how_exactly = u64::from(kind::REACH) << 32 | u64::from(how << 16 | number & 0xffff);
    let deed = [scope.era(), how_exactly, u64::from(tgid), target.load(offset!(task_start))];
    if SEEN_REACHES.has(&deed) {
        return Ok(Done::Aggregated);
    }
    let header = output::header(scope, hook::REACH, kind::REACH, 0);
    let mut entry = Ring::Verdicts.reserve::<Reach>()?;
    entry.write(Reach { header, how, whose, tgid, number });
    entry.submit(0);
    // After the record is in: see `file::report_open`.
    if scope.remembers() {
        SEEN_REACHES.remember(&deed);
    }
    Ok(Done::Submitted)
}
