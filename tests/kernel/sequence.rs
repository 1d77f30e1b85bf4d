//! Where a sandbox has a table of learned calls the kernel sums, thread by thread, exactly what user space would sum.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::thread;
use std::time::{Duration, Instant};

use picket::clock;
use picket::decode::Decoded;
use picket::probe::{Changed, table_of};
use picket_abi::surprise::{SurpriseTable, TABLES, ThreadCalls};
use picket_engine::Fact;
use picket_engine::sequence::{Call, CallCounts, SurpriseModel, Trail};
use picket_tests::{meddle, wait_until};
use serde_json::Value;

use super::actor::Actor;
use super::harness::{Eye, Watched, eye, nothing_declared, watched};
use super::place::Place;
use super::raw;
use super::seen::Seen;

/// What a thread of the plugin calls again and again.
const USUAL: [libc::c_long; 5] =
    [libc::SYS_getppid, libc::SYS_getuid, libc::SYS_getppid, libc::SYS_getgid, libc::SYS_geteuid];

/// Known calls in another order, a call that was never learned, and numbers that have no place of their own.
const UNUSUAL: [libc::c_long; 7] =
    [libc::SYS_getgid, libc::SYS_getgid, libc::SYS_getegid, 511, 512, 100_000, libc::SYS_getuid];

/// The numbers as the kernel side takes them.
fn numbers(calls: &[libc::c_long]) -> Vec<u32> {
    calls.iter().map(|call| u32::try_from(*call).unwrap()).collect()
}

/// What is learned of the usual order.
fn model() -> SurpriseModel {
    let mut counts = CallCounts::new(CallCounts::DEFAULT_LIMIT);
    let mut trail = Trail::START;
    for number in numbers(&USUAL.repeat(200)) {
        counts.learn(&mut trail, Call::numbered(number));
    }
    SurpriseModel::new(&counts).unwrap()
}

fn table(seed: u64) -> Box<SurpriseTable> {
    table_of(&model(), seed)
}

/// What user space sums of a thread that begins with these calls.
fn summed(table: &SurpriseTable, calls: &[libc::c_long]) -> [u32; 3] {
    let mut thread = ThreadCalls::default();
    for number in numbers(calls) {
        let bucket = |index: u32| table.buckets.get(usize::try_from(index).unwrap());
        thread.observe(&table.head, number, bucket).unwrap();
    }
    [thread.calls, thread.level_sum, thread.novel]
}

/// Calls, sum of levels, novel calls; number of the table.
fn sums(record: &Decoded) -> Option<([u32; 3], u32)> {
    match record.fact {
        Fact::Calls { calls, level_sum, novel, table } => Some(([calls, level_sum, novel], table)),
        _ => None,
    }
}

/// All that was handed over, together.
fn total(seen: &Seen) -> [u32; 3] {
    let each = seen.facts(|record| sums(record).map(|(sums, _)| sums));
    each.iter().fold([0; 3], |[a, b, c], [x, y, z]| [a + x, b + y, c + z])
}

/// Makes the calls, whatever they answer.
fn make(calls: &[libc::c_long]) {
    for number in calls {
        drop(raw::call(*number, 0, 0));
    }
}

/// Waits, by one call.
fn nap(milliseconds: u64) {
    drop(raw::call_with(libc::SYS_poll, [0, 0, milliseconds, 0, 0, 0]));
}

/// Everything that a process calls which is told to make these calls and ends by itself.
fn until_the_end(calls: &[libc::c_long]) -> Vec<libc::c_long> {
    [calls, &[libc::SYS_exit_group]].concat()
}

/// A process in the sandbox that waits for its word, and came in while it did: what it calls from then on is the act.
fn waiting(sandbox: &Watched, act: impl FnOnce()) -> Actor {
    let actor = Actor::start(|| {
        act();
        drop(raw::call(libc::SYS_exit_group, 0, 0));
        Value::Null
    });
    let call = format!("/proc/{}/syscall", actor.pid());
    let its_word = [libc::SYS_read, libc::SYS_recvfrom].map(|number| format!("{number} "));
    wait_until("the actor waits for its word", || {
        fs::read_to_string(&call)
            .is_ok_and(|call| its_word.iter().any(|number| call.starts_with(number)))
    });
    sandbox.admit(&actor);
    actor
}

/// Lets a new process in the sandbox make these calls and end.
fn run(sandbox: &Watched, calls: &[libc::c_long]) -> Seen {
    let mut actor = waiting(sandbox, || make(calls));
    actor.begin();
    assert_eq!(actor.wait(), 0);
    sandbox.seen()
}

#[test]
fn the_kernels_sums_are_to_the_last_call_those_of_user_space() {
    let sandbox = watched();
    let table = table(1);
    let number = eye().slots().load_table(sandbox.id, &table).unwrap();
    let calls = [USUAL.repeat(500), UNUSUAL.to_vec(), USUAL.repeat(3), UNUSUAL.repeat(9)].concat();
    // The process waits for its word, so this is the first call that is summed, with nothing before it.
    let [n_calls, level_sum, novel] = summed(&table, &until_the_end(&calls));
    let seen = run(&sandbox, &calls);
    assert_eq!(total(&seen), [n_calls, level_sum, novel]);
    assert!(seen.facts(sums).iter().all(|(_, told)| *told == number));
    assert!(0 < novel && novel < n_calls / 10, "{novel} of {n_calls}");
}

#[test]
fn calls_in_an_order_that_was_never_learned_are_novel_and_usual_ones_are_not() {
    let sandbox = watched();
    eye().slots().load_table(sandbox.id, &table(2)).unwrap();
    let [_, usual, novel] = total(&run(&sandbox, &USUAL.repeat(100)));
    // The end of the process was not learned.
    assert_eq!(novel, 1);
    let reversed: Vec<_> = USUAL.iter().rev().copied().collect();
    let [_, both, novel] = total(&run(&sandbox, &reversed.repeat(100)));
    assert!(300 < novel, "{novel} of 500");
    assert!(usual * 3 < both, "{usual} is not far below {both}");
}

#[test]
fn each_process_begins_with_no_call_before_its_first() {
    let sandbox = watched();
    let table = table(3);
    eye().slots().load_table(sandbox.id, &table).unwrap();
    let once = summed(&table, &until_the_end(&USUAL));
    run(&sandbox, &USUAL);
    assert_eq!(total(&run(&sandbox, &USUAL)), once.map(|sum| sum * 2));
}

#[test]
fn threads_of_one_process_are_summed_apart() {
    const TIMES: u32 = 1_000;
    let sandbox = watched();
    eye().slots().load_table(sandbox.id, &table(4)).unwrap();
    let act = || {
        thread::scope(|scope| {
            scope.spawn(|| make(&USUAL.repeat(TIMES as usize)));
            scope.spawn(|| make(&[libc::SYS_getegid].repeat(TIMES as usize)));
        });
    };
    let mut actor = waiting(&sandbox, act);
    actor.begin();
    actor.wait();
    let seen = sandbox.seen();
    let of_threads = seen.facts(|record| {
        let ([calls, _, novel], _) = sums(record)?;
        let is_thread = record.process.tid != record.process.tgid;
        is_thread.then_some((record.process.tid, calls, novel))
    });
    let of = |is_it: fn(u32, u32) -> bool| {
        let its = of_threads.iter().filter(|(_, calls, novel)| is_it(*calls, *novel));
        its.map(|(tid, ..)| *tid).collect::<Vec<_>>()
    };
    // Beside what they were told to call both begin and end.
    let usual = of(|calls, novel| 5 * TIMES <= calls && novel < TIMES / 10);
    let unusual = of(|calls, novel| TIMES <= novel && calls < 2 * TIMES);
    assert_eq!((usual.len(), unusual.len()), (1, 1), "{of_threads:?}");
    assert_ne!(usual, unusual);
}

#[test]
fn a_thread_that_goes_on_hands_over_about_once_a_second_and_loses_nothing_in_between() {
    const NAPS: usize = 25;
    let sandbox = watched();
    let table = table(5);
    eye().slots().load_table(sandbox.id, &table).unwrap();
    let mut actor = waiting(&sandbox, || {
        for _ in 0..NAPS {
            nap(100);
            make(&USUAL);
        }
    });
    let begun = Instant::now();
    actor.begin();
    actor.wait();
    let took = begun.elapsed();
    let seen = sandbox.seen();
    let each = [&[libc::SYS_poll][..], &USUAL].concat();
    assert_eq!(total(&seen), summed(&table, &until_the_end(&each.repeat(NAPS))));
    let times: Vec<_> = seen.facts(|record| sums(record).map(|_| record.order.time.as_nanos()));
    // Two whole seconds, and the rest at the end.
    assert!(3 <= times.len(), "{} in {took:?}", times.len());
    let whole = times.len() - 1;
    let apart = times.windows(2).take(whole - 1).map(|two| Duration::from_nanos(two[1] - two[0]));
    let second = Duration::from_millis(980);
    assert!(apart.into_iter().all(|apart| second < apart), "{times:?}");
}

#[test]
fn what_is_left_at_the_end_of_a_process_is_handed_over_before_its_end_is_told() {
    let sandbox = watched();
    eye().slots().load_table(sandbox.id, &table(6)).unwrap();
    let seen = run(&sandbox, &USUAL);
    let place = |is_it: fn(&Fact) -> bool| seen.records.iter().position(|it| is_it(&it.fact));
    let handed_over = place(|fact| matches!(fact, Fact::Calls { .. })).unwrap();
    let ended = place(|fact| matches!(fact, Fact::Exit { .. })).unwrap();
    assert!(handed_over < ended, "{:?}", seen.records);
}

#[test]
fn tables_are_exchanged_while_a_thread_calls_and_no_call_is_left_out() {
    const BURSTS: usize = 40;
    let sandbox = watched();
    // Of one model: whichever of them a call meets, its level is the same.
    let tables = [table(7), table(8)];
    let burst = USUAL.repeat(400);
    let all = until_the_end(&[&[libc::SYS_poll], &burst[..]].concat().repeat(BURSTS));
    let expected = tables.each_ref().map(|table| summed(table, &all));
    assert_eq!(expected[0], expected[1], "two keys under which different calls share an entry");
    eye().slots().load_table(sandbox.id, &tables[0]).unwrap();
    let mut actor = waiting(&sandbox, || {
        for _ in 0..BURSTS {
            nap(10);
            make(&burst);
        }
    });
    actor.begin();
    // More of them than places: those before are free again.
    for table in tables.iter().cycle().skip(1).take(20) {
        eye().slots().load_table(sandbox.id, table).unwrap();
        thread::park_timeout(Duration::from_millis(7));
    }
    actor.wait();
    let seen = sandbox.seen();
    assert_eq!(total(&seen), expected[0]);
    let by_table = seen.facts(|record| sums(record).map(|(_, table)| table));
    assert!(2 < by_table.len() && by_table.is_sorted_by(|one, next| one < next), "{by_table:?}");
}

#[test]
fn a_sandbox_without_a_table_hands_nothing_over_and_neither_does_one_whose_table_is_gone() {
    let (with, without) = (watched(), watched());
    eye().slots().load_table(with.id, &table(9)).unwrap();
    assert_eq!(run(&without, &USUAL).counts["sequence"].fired, 0);
    assert_eq!(run(&with, &USUAL).counts["sequence"].submitted, 1);
    eye().slots().unload_table(with.id).unwrap();
    assert_eq!(run(&with, &USUAL).counts["sequence"].fired, 1);
}

#[test]
fn what_the_launcher_calls_is_not_summed() {
    let table = table(10);
    let sandbox = eye().prepare(&nothing_declared());
    eye().slots().load_table(sandbox.id, &table).unwrap();
    assert_eq!(total(&run(&sandbox, &USUAL)), [0; 3]);
    // The table stays when the policy is replaced.
    eye().slots().replace(sandbox.id, &nothing_declared(), clock::now()).unwrap();
    assert_eq!(total(&run(&sandbox, &USUAL)), summed(&table, &until_the_end(&USUAL)));
}

#[test]
fn there_are_sixteen_tables_and_the_next_sandbox_is_told_so() {
    // A kernel side of its own: nobody else takes a table from it.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    let table = table(11);
    let load = |sandbox: &Watched| eye.slots().load_table(sandbox.id, &table);
    let mut sandboxes: Vec<_> = (0..=TABLES).map(|_| eye.watch(&nothing_declared())).collect();
    let last = sandboxes.pop().unwrap();
    let mut numbers: Vec<_> = sandboxes.iter().map(|sandbox| load(sandbox).unwrap()).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), sandboxes.len(), "{numbers:?}");
    let refused = "all 16 tables of learned calls are in use: unload another sandbox's first";
    assert_eq!(load(&last).unwrap_err().to_string(), refused);
    assert_eq!(run(&last, &USUAL).counts["sequence"].fired, 0);
    // Also for one that wants another: both have to be there at once.
    assert_eq!(load(&sandboxes[0]).unwrap_err().to_string(), refused);
    assert_eq!(total(&run(&sandboxes[0], &USUAL)), summed(&table, &until_the_end(&USUAL)));
    // One is free when it is unloaded, and when its sandbox is no longer watched.
    eye.slots().unload_table(sandboxes[1].id).unwrap();
    load(&last).unwrap();
    assert_eq!(load(&sandboxes[1]).unwrap_err().to_string(), refused);
    drop(sandboxes.pop());
    load(&sandboxes[1]).unwrap();
}

#[test]
fn sums_that_find_the_ring_full_are_counted_and_handed_over_a_second_later() {
    const NAPS: usize = 40;
    // A kernel side of its own: nobody reads its rings meanwhile.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    let (sandbox, flood) = (eye.watch(&nothing_declared()), eye.watch(&nothing_declared()));
    let table = table(12);
    eye.slots().load_table(sandbox.id, &table).unwrap();
    let place = Place::new();
    let files: Vec<_> = (0..2_000).map(|number| place.file(number.to_string())).collect();
    // Large records first, so that what is left has no room for small ones either.
    let mut flooding = waiting(&flood, || {
        files.iter().for_each(|file| drop(File::open(file).unwrap()));
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        (42_000..42_040_u16).for_each(|port| drop(socket.send_to(b"", ("127.0.0.1", port))));
    });
    flooding.begin();
    flooding.wait();
    assert!(0 < flood.counts()["send"].dropped, "there was room: {:?}", flood.counts());

    let mut actor = waiting(&sandbox, || {
        for _ in 0..NAPS {
            nap(100);
            make(&USUAL);
        }
    });
    actor.begin();
    wait_until("sums find no room", || 0 < sandbox.counts()["sequence"].dropped);
    assert_eq!(sandbox.counts()["sequence"].submitted, 0);
    // Reads the rings: there is room again.
    sandbox.seen();
    actor.wait();
    let each = [&[libc::SYS_poll][..], &USUAL].concat();
    assert_eq!(total(&sandbox.seen()), summed(&table, &until_the_end(&each.repeat(NAPS))));
}

#[test]
fn a_table_that_somebody_changes_is_noticed_and_put_right() {
    const NAME: &str = "TABLES";
    const BYTES: usize = size_of::<SurpriseTable>();
    // A kernel side of its own: what is looked after is all of it.
    let eye: &'static Eye = Box::leak(Box::new(Eye::open().unwrap()));
    let sandbox = eye.watch(&nothing_declared());
    // This process has several kernel sides, and one of them has this key.
    let table = table(13_131_313);
    eye.slots().load_table(sandbox.id, &table).unwrap();
    let mut pools = meddle::maps(std::process::id(), NAME).map(|map| {
        aya::maps::Array::<_, [u8; BYTES]>::try_from(aya::maps::Map::Array(map)).unwrap()
    });
    let mut pool =
        pools.find(|pool| pool.get(&0, 0).unwrap()[..8] == table.head.seed.to_le_bytes()).unwrap();
    let changes = || eye.slots().audit(|_, _| true);
    assert!(changes().is_empty());

    pool.set(0, [0; BYTES], 0).unwrap();
    let changed: Vec<_> = changes().into_iter().collect();
    assert_eq!(changed, [Changed { map: NAME, sandbox: Some(sandbox.id) }]);
    assert!(changes().is_empty());
    assert_eq!(total(&run(&sandbox, &USUAL)), summed(&table, &until_the_end(&USUAL)));
}
