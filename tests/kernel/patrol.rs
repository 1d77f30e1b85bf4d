//! The patrol in the tier that this kernel has: it finds nothing while nobody interferes, and an open that is not reported
//! any more at once.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::programs::loaded_programs;
use picket::export::{Origin, SeriesBudget};
use picket::probe::Tier;
use picket::session::{Options, Session};
use picket_engine::Tampering;
use picket_tests::{meddle, picket_program, wait_until};

use super::harness::eye;

/// Whose links are whose is told by which were there before: one session at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open() -> Session {
    let (session, _) = Session::open(Options {
        max_sandboxes: 2,
        refusals: false,
        program: picket_program(),
        node: Origin::default_node(),
        series: SeriesBudget::DEFAULT,
    })
    .unwrap();
    session
}

fn counted(session: &Session, name: &str, label: &str) -> f64 {
    let text = session.metrics().text();
    let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
    lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
}

fn seen(session: &Session) -> f64 {
    counted(session, "picket_canary_rounds_total", "outcome=\"seen\"")
}

/// Links of this process to the program of this name.
fn links_of(program: &str) -> Vec<meddle::Link> {
    let is_it = |id| {
        let mut loaded = loaded_programs().filter_map(Result::ok);
        loaded.any(|one| one.id() == id && one.name_as_str() == Some(program))
    };
    let all = meddle::links(std::process::id()).into_iter();
    all.filter(|link| link.cgroup.is_none() && is_it(link.program)).collect()
}

#[expect(unsafe_code, reason = "a descriptor of somebody else's is taken away, as a debugger does")]
fn take(link: &meddle::Link) {
    // SAFETY: numbers of open descriptors; what was the link's becomes one more of standard error.
    assert_eq!(unsafe { libc::dup2(2, link.descriptor) }, link.descriptor);
}

#[test]
fn round_after_round_of_the_canary_is_seen_while_nobody_interferes() {
    let _alone = alone();
    let session = open();
    wait_until("three rounds", || 2.5 < seen(&session));
    assert_eq!(session.breaches(), []);
    assert!(counted(&session, "picket_canary_acts_missed_total", "") < f64::EPSILON);
}

#[test]
fn an_open_that_is_not_reported_any_more_is_missed_by_links_and_canary() {
    let _alone = alone();
    let open_hook = match eye().tier.tier {
        Tier::Lsm => "file_open",
        // The kernel keeps fifteen bytes of a name.
        Tier::Trace => "sys_exit_creat",
    };
    let before: BTreeSet<u32> = links_of(open_hook).iter().map(|link| link.id).collect();
    let session = open();
    let links = links_of(open_hook);
    let [link] = links.iter().filter(|link| !before.contains(&link.id)).collect::<Vec<_>>()[..]
    else {
        panic!("{links:?} after {before:?}");
    };
    take(link);
    for tampering in [Tampering::ProbeDetached, Tampering::CanaryMissed] {
        wait_until("the breach", || {
            let breaches = session.breaches();
            breaches.iter().any(|breach| (breach.tampering, breach.part) == (tampering, open_hook))
        });
    }
}
