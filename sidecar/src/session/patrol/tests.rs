use picket_engine::{Fact, Order, Process, SandboxId};

use super::*;

fn counted(hook: u16, counts: Counts, no_entry: u64) -> Counted {
    let mut of_canary = vec![Counts::default(); hook::NAMES.len()];
    of_canary[usize::from(hook)] = counts;
    Counted { of_canary, no_entry }
}

fn record(hook: u16) -> Decoded {
    let start = KernelTime::from_nanos(1);
    let sandbox = SandboxId { slot: 0, generation: 1 };
    let process = Process { tgid: 1, tid: 1, start };
    Decoded { hook, sandbox, order: Order::at(start), process, fact: Fact::Entered {} }
}

#[test]
fn an_act_that_is_missing_is_explained_only_by_a_loss_of_its_own_hook() {
    let before = counted(hook::OPEN, Counts::default(), 0);
    for lost in
        [Counts { dropped: 1, ..Counts::default() }, Counts { error: 1, ..Counts::default() }]
    {
        let after = counted(hook::OPEN, lost, 0);
        assert!(after.has_lost_since(&before, hook::OPEN));
        assert!(!after.has_lost_since(&before, hook::EXEC));
        assert!(!after.has_lost_since(&after, hook::OPEN), "lost before it acted");
    }
}

#[test]
fn a_full_table_explains_only_what_needs_an_entry() {
    let (before, after) = (counted(0, Counts::default(), 4), counted(0, Counts::default(), 5));
    for (number, explained) in [(hook::ATTACH, true), (hook::CGROUP, true), (hook::EXEC, false)] {
        assert_eq!(after.has_lost_since(&before, number), explained, "{number}");
    }
}

#[test]
fn as_many_records_must_come_as_were_submitted() {
    let before = vec![Counts { submitted: 7, ..Counts::default() }];
    let after = vec![Counts { submitted: 9, ..Counts::default() }];
    assert!(adds_up(&[record(0), record(0)], &before, &after));
    assert!(!adds_up(&[record(0)], &before, &after));
    assert!(!adds_up(&[record(0), record(0), record(0)], &before, &after));
    assert!(adds_up(&[record(0), record(0), record(1)], &before, &after), "of another hook");
}
