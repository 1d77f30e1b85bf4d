//! Root interferes with a running Picket's kernel side, and Picket notices: which part, and within two seconds by its own
//! clock.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use aya::maps::{Array, HashMap, Map, MapData};
use aya::programs::loaded_programs;
use libc::{SIGCONT, SIGINT, SIGKILL, SIGSTOP};
use picket_abi::{MAX_NET_RULES, Member, NetRule, Shelf, Slot, TaskOf};
use picket_tests::{meddle, wait_for, wait_until};
use serde_json::Value;

use super::plugin::Plugin;
use super::run::{Run, signal};
use super::scrape::{get, start, sum, value};

/// `BPF_CGROUP_INET4_CONNECT` of the kernel's `enum bpf_attach_type`.
const CONNECT4: u32 = 10;

/// What the alarm may be late by.
const WITHIN_US: u64 = 2_000_000;

/// A plugin that rests.
fn resting() -> (Run, SocketAddr) {
    let plugin = Plugin::new().declares("network: { connect: [{ to: 127.0.0.1, port: 8080 }] }");
    let (run, address) = start(&plugin, &[], "exec sleep 99", "");
    run.await_report("running");
    (run, address)
}

/// Waits for the alarm about this part.
#[track_caller]
fn alarm(run: &Run, tampering: &str, part: &str) -> Value {
    let report = wait_for(&format!("{tampering} of {part}"), || {
        let mut reports = run.reports().into_iter();
        reports.find(|report| report["tampering"] == tampering && report["part"] == part)
    });
    assert_eq!(report["event"], "tampered", "{report}");
    assert!(report["unnoticed_us"].as_u64().unwrap() <= WITHIN_US, "{report}");
    report
}

/// Its finding is there, and no other; the plugin runs on, because its manifest says nothing else.
#[track_caller]
fn end(run: Run) {
    wait_until("its finding", || run.reports().iter().any(|report| report["event"] == "finding"));
    run.signal(SIGINT);
    let ended = run.end();
    assert_eq!(ended.code, 130, "{ended:?}");
    let findings = ended.of("finding");
    assert!(
        findings.iter().all(|finding| finding["reason"] == "kernel_side_tampered"),
        "{findings:?}"
    );
}

fn connect4_of(run: &Run) -> meddle::Link {
    let cgroup = fs::metadata(run.cgroup()).unwrap().ino();
    let links = meddle::links(run.pid());
    links.into_iter().find(|link| link.cgroup == Some((cgroup, CONNECT4))).unwrap()
}

#[test]
fn f6_a_socket_hook_that_is_detached_from_a_sandbox_is_an_alarm_within_two_seconds() {
    let (run, address) = resting();
    meddle::detach(connect4_of(&run).id);
    let report = alarm(&run, "probe_detached", "connect4");
    assert!(report["sandbox"].is_string(), "{report}");
    wait_until("the metric", || {
        let scrape = get(address, "/metrics").1;
        value(&scrape, "picket_hook_attached{hook=\"connect4\"}") == Some(0.0)
            && value(&scrape, "picket_hook_attached{hook=\"connect6\"}") == Some(1.0)
            && value(&scrape, "picket_tampering_total{tampering=\"probe_detached\"}") == Some(1.0)
    });
    end(run);
}

#[test]
fn another_program_in_the_place_of_pickets_is_an_alarm() {
    let ((run, _), (other, _)) = (resting(), resting());
    // Looks like Picket's, because it is another one's: it does not know this sandbox.
    let id = connect4_of(&other).program;
    let mut programs = loaded_programs().map(Result::unwrap);
    let program = programs.find(|program| program.id() == id).unwrap().fd().unwrap();
    meddle::replace_program(connect4_of(&run).id, program.as_fd());
    alarm(&run, "probe_detached", "connect4");
    end(run);
    other.signal(SIGINT);
    other.end().assert_honest(130);
}

#[test]
fn f6_a_tracepoint_that_a_debugger_takes_off_is_an_alarm_for_everybody_and_the_canary_misses_it() {
    let (run, _) = resting();
    let links = meddle::links(run.pid());
    let is_it = |link: &&meddle::Link| link.tracepoint.as_deref() == Some("sched_process_exec");
    let link = links.iter().find(is_it).unwrap();
    meddle::take_from(run.pid(), link.descriptor);
    let report = alarm(&run, "probe_detached", "sched_process_exec");
    assert_eq!(report["sandbox"], Value::Null);
    alarm(&run, "canary_missed", "sched_process_exec");
    end(run);
}

const SLOT: usize = size_of::<Slot>();
const RULES: usize = size_of::<NetRule>() * MAX_NET_RULES;
const MEMBER: usize = size_of::<Member>();

#[test]
fn a_sandbox_whose_settings_are_wiped_is_an_alarm_and_has_them_again() {
    let (run, _) = resting();
    let slots = Map::Array(meddle::map(run.pid(), "SLOTS"));
    let mut slots: Array<MapData, [u8; SLOT]> = slots.try_into().unwrap();
    let before = slots.get(&0, 0).unwrap();
    slots.set(0, [0; SLOT], 0).unwrap();
    alarm(&run, "map_changed", "SLOTS");
    assert_eq!(slots.get(&0, 0).unwrap(), before);
    run.await_report("mended");
    end(run);
}

#[test]
fn a_sandbox_that_is_given_other_destinations_is_an_alarm_and_has_its_own_again() {
    let (run, _) = resting();
    let rules = Map::Array(meddle::map(run.pid(), "NET_RULES"));
    let mut rules: Array<MapData, [u8; RULES]> = rules.try_into().unwrap();
    // One of a slot's banks is in force.
    let before = [0, 1].map(|bank| rules.get(&bank, 0).unwrap());
    let mut wide = [0; RULES];
    wide[..4].copy_from_slice(&[4, 0, 0, 0]);
    [0, 1].iter().for_each(|bank| rules.set(*bank, wide, 0).unwrap());
    alarm(&run, "map_changed", "NET_RULES");
    let now = [0, 1].map(|bank| rules.get(&bank, 0).unwrap());
    assert!(now.iter().zip(&before).any(|(now, before)| now == before));
    end(run);
}

#[test]
fn a_cgroup_that_is_no_member_any_more_is_an_alarm_and_is_one_again() {
    let (run, _) = resting();
    let members = Map::HashMap(meddle::map(run.pid(), "MEMBERS"));
    let mut members: HashMap<MapData, u64, [u8; MEMBER]> = members.try_into().unwrap();
    let cgroup = fs::metadata(run.cgroup()).unwrap().ino();
    members.remove(&cgroup).unwrap();
    alarm(&run, "map_changed", "MEMBERS");
    assert!(members.get(&cgroup, 0).is_ok());
    end(run);
}

const SHELF: usize = size_of::<Shelf>();

/// Takes a cgroup off the shelf that the hooks look at, and waits until it is told and is found again.
#[track_caller]
fn check_that_its_place_is_kept(run: &Run, directory: &Path) {
    let shelves = Map::Array(meddle::map(run.pid(), "SHELVES"));
    let mut shelves: Array<MapData, [u8; SHELF]> = shelves.try_into().unwrap();
    let cgroup = fs::metadata(directory).unwrap().ino().to_ne_bytes();
    let holds = |shelf: &[u8; SHELF]| shelf[..8] == cgroup || shelf[8..16] == cgroup;
    let at = (0..shelves.len()).find(|at| holds(&shelves.get(at, 0).unwrap())).unwrap();
    shelves.set(at, [0; SHELF], 0).unwrap();
    alarm(run, "map_changed", "SHELVES");
    let place = at & !1;
    let there = [place, place | 1].map(|at| shelves.get(&at, 0).unwrap());
    assert!(there.iter().any(holds), "{there:?}");
}

#[test]
fn a_cgroup_that_is_taken_off_its_shelf_is_an_alarm_and_is_put_back() {
    let (run, _) = resting();
    check_that_its_place_is_kept(&run, &run.cgroup());
    end(run);
}

#[test]
fn a_cgroup_below_a_sandbox_that_is_taken_off_its_shelf_is_an_alarm_and_is_put_back() {
    let (run, address) = resting();
    let nested = run.cgroup().join("nested");
    fs::create_dir(&nested).unwrap();
    // The patrol has come by twice: it knows of the cgroup.
    let rounds = || sum(&get(address, "/metrics").1, "picket_canary_rounds_total");
    let before = rounds();
    wait_until("two rounds", || before + 1.5 < rounds());
    check_that_its_place_is_kept(&run, &nested);
    end(run);
}

#[test]
fn another_process_that_is_called_picket_is_an_alarm_and_picket_is_itself_again() {
    let (run, _) = resting();
    let map = Map::Array(meddle::map(run.pid(), "PICKET"));
    let mut map: Array<MapData, u32> = map.try_into().unwrap();
    let before = map.get(&0, 0).unwrap();
    map.set(0, 1, 0).unwrap();
    let report = alarm(&run, "map_changed", "PICKET");
    assert_eq!(report["sandbox"], Value::Null);
    assert_eq!(map.get(&0, 0).unwrap(), before);
    end(run);
}

#[test]
fn a_canary_that_is_killed_or_stopped_is_an_alarm_and_another_takes_its_place() {
    for number in [SIGKILL, SIGSTOP] {
        let (run, address) = resting();
        let canary = meddle::canary(run.pid()).unwrap();
        signal(canary.cast_signed(), number);
        alarm(&run, "canary_missed", "the canary");
        if number == SIGSTOP {
            signal(canary.cast_signed(), SIGCONT);
        }
        run.await_report("mended");
        let seen = |scrape: &str| value(scrape, "picket_canary_rounds_total{outcome=\"seen\"}");
        let before = seen(&get(address, "/metrics").1);
        wait_until("rounds that are seen", || before < seen(&get(address, "/metrics").1));
        end(run);
    }
}

#[test]
fn f9_a_full_table_of_cgroups_is_counted_and_no_attack_and_the_canary_recovers() {
    let (run, address) = resting();
    let members = Map::HashMap(meddle::map(run.pid(), "MEMBERS"));
    let mut members: HashMap<MapData, u64, [u8; MEMBER]> = members.try_into().unwrap();
    // Ids that no cgroup will have, of a sandbox that is not there.
    let strangers: Vec<u64> = (u64::MAX - 100_000..u64::MAX)
        .take_while(|id| members.insert(*id, [0xff; MEMBER], 0).is_ok())
        .collect();
    assert!(strangers.len() < 100_000, "it has room for everything");
    wait_until("a round with loss", || {
        let scrape = get(address, "/metrics").1;
        let lost = value(&scrape, "picket_canary_rounds_total{outcome=\"lost\"}");
        let full = value(&scrape, "picket_events_lost_total{reason=\"cgroup_table_full\"}");
        lost.is_some_and(|lost| 0.0 < lost) && full.is_some_and(|full| 0.0 < full)
    });
    let seen = |scrape: &str| value(scrape, "picket_canary_rounds_total{outcome=\"seen\"}");
    strangers.iter().for_each(|id| members.remove(id).unwrap());
    let before = seen(&get(address, "/metrics").1);
    wait_until("rounds that are seen", || before < seen(&get(address, "/metrics").1));
    assert!(sum(&get(address, "/metrics").1, "picket_tampering_total") < f64::EPSILON);
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

#[test]
fn f9_who_enters_a_cgroup_that_found_no_room_in_the_table_has_left_his_sandbox() {
    let (run, _) = resting();
    let members = Map::HashMap(meddle::map(run.pid(), "MEMBERS"));
    let mut members: HashMap<MapData, u64, [u8; MEMBER]> = members.try_into().unwrap();
    let mut strangers = u64::MAX - 100_000..u64::MAX;
    assert!(strangers.any(|id| members.insert(id, [0xff; MEMBER], 0).is_err()));
    let process = fs::read_to_string(run.cgroup().join("cgroup.procs")).unwrap();
    let nested = run.cgroup().join("nested");
    fs::create_dir(&nested).unwrap();
    fs::write(nested.join("cgroup.procs"), process.trim()).unwrap();
    let ended = run.end();
    assert_eq!(ended.code, 120, "{ended:?}");
    let reasons: Vec<_> = ended.of("finding").iter().map(|one| one["reason"].clone()).collect();
    assert!(reasons.contains(&"migrated".into()), "{reasons:?}");
}

const TASK: usize = size_of::<TaskOf>();

#[test]
fn f9_a_full_table_of_tasks_is_counted_and_no_attack() {
    let (run, address) = resting();
    let tasks = Map::HashMap(meddle::map(run.pid(), "TASKS"));
    let mut tasks: HashMap<MapData, u32, [u8; TASK]> = tasks.try_into().unwrap();
    let mut strangers = 1 << 24..1 << 25;
    assert!(strangers.any(|id| tasks.insert(id, [0xff; TASK], 0).is_err()));
    wait_until("rounds with loss", || {
        let scrape = get(address, "/metrics").1;
        let lost = value(&scrape, "picket_canary_rounds_total{outcome=\"lost\"}");
        let full = value(&scrape, "picket_events_lost_total{reason=\"task_table_full\"}");
        lost.is_some_and(|lost| 1.0 < lost) && full.is_some_and(|full| 0.0 < full)
    });
    assert!(sum(&get(address, "/metrics").1, "picket_tampering_total") < f64::EPSILON);
    run.signal(SIGINT);
    run.end().assert_honest(130);
}

/// Fills all places of a table of what was seen with deeds of nobody.
fn fill<const PLACE: usize>(run: &Run, name: &str) {
    let table = meddle::map(run.pid(), name);
    let mut table: Array<MapData, [u8; PLACE]> = Map::Array(table).try_into().unwrap();
    // Even, so that no place seems to be written just now.
    for place in 0..table.len() {
        table.set(place, [0xfe; PLACE], 0).unwrap();
    }
    let there =
        table.iter().filter(|place| place.as_ref().is_ok_and(|place| place.contains(&0xfe)));
    assert!(table.len() / 2 < u32::try_from(there.count()).unwrap(), "{name} is not full");
}

#[test]
fn f9_tables_of_what_was_seen_that_others_fill_hide_nothing() {
    let plugin = Plugin::new();
    plugin.write("secret", "");
    let script = "until [ -e go ]; do sleep 0.1; done; cat secret; exec sleep 99";
    let (run, _) = start(&plugin, &[], script, "");
    run.await_report("running");
    // Eight deeds a place, each with a word before it, and one before all of them.
    fill::<{ 8 + 8 * 8 * (1 + 7) }>(&run, "SEEN_FILES");
    fill::<{ 8 + 8 * 8 * (1 + 7) }>(&run, "SEEN_OPERATIONS");
    // The kernel keeps fifteen bytes of a name.
    fill::<{ 8 + 8 * 8 * (1 + 4) }>(&run, "SEEN_DESTINATIO");
    fill::<{ 8 + 8 * 8 * (1 + 2) }>(&run, "SEEN_DEEDS");
    fill::<{ 8 + 8 * 8 * (1 + 4) }>(&run, "SEEN_REACHES");
    plugin.write("go", "");
    let ended = run.end();
    assert_eq!(ended.code, 120, "{ended:?}");
    let findings = ended.of("finding");
    let is_it = |finding: &&Value| finding["deed"].as_str().unwrap().contains("secret");
    assert!(findings.iter().any(is_it), "{findings:?}");
}
