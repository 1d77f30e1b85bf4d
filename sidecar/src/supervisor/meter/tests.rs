use std::collections::BTreeMap;
use std::fs;

use picket_engine::Resource;
use proptest::prelude::*;

use super::*;

/// What a directory with these files is read as.
fn read(files: &[(&str, &str)], legacy: &[(&str, &str, &str)]) -> Vec<(&'static str, u64)> {
    let place = tempfile::tempdir().unwrap();
    let mut places = Places::new();
    for (name, text) in files {
        fs::write(place.path().join(name), text).unwrap();
    }
    for (controller, name, text) in legacy {
        let directory = place.path().join(format!("{controller}.d"));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(name), text).unwrap();
        places.insert((*controller).to_owned(), directory);
    }
    let usage = Meter::open(place.path(), Some(&places)).read(&mut Buffer::empty()).unwrap();
    usage.iter().map(|(resource, amount)| (resource.as_str(), amount)).collect()
}

#[test]
fn the_files_of_a_unified_cgroup_are_read_in_their_units() {
    let files = [
        (
            "cpu.stat",
            "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_throttled 1\nthrottled_usec 5\n",
        ),
        (
            "cpu.pressure",
            "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\nfull avg10=0.00 total=6\n",
        ),
        ("memory.current", "4096\n"),
        ("memory.peak", "8192\n"),
        ("memory.events", "low 0\noom 2\noom_kill 1\noom_group_kill 9\n"),
        (
            "io.stat",
            "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=9 dios=9\n254:0 rbytes=10 wbytes=20 rios=30 wios=40\n",
        ),
        ("pids.current", "3\n"),
    ];
    insta::assert_compact_debug_snapshot!(read(&files, &[]), @r#"[("cpu_user_us", 20), ("cpu_system_us", 10), ("cpu_throttled_us", 5), ("cpu_pressure_us", 7), ("memory_bytes", 4096), ("memory_peak_bytes", 8192), ("oom_kills", 1), ("io_read_bytes", 11), ("io_written_bytes", 22), ("io_reads", 33), ("io_writes", 44), ("tasks", 3)]"#);
}

#[test]
fn the_files_of_hierarchies_of_their_own_give_the_same_names() {
    let legacy = [
        ("memory", "memory.usage_in_bytes", "4096\n"),
        ("memory", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"),
        (
            "blkio",
            "blkio.throttle.io_service_bytes_recursive",
            "8:0 Read 5\n8:0 Write 6\n8:0 Sync 11\n8:16 Read 50\nTotal 61\n",
        ),
        ("blkio", "blkio.throttle.io_serviced_recursive", "Total 0\n"),
        ("cpu", "cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 3000\n"),
    ];
    insta::assert_compact_debug_snapshot!(read(&[], &legacy), @r#"[("cpu_throttled_us", 3), ("memory_bytes", 4096), ("oom_kills", 2), ("io_read_bytes", 55), ("io_written_bytes", 6)]"#);
}

#[test]
fn without_controllers_only_time_is_known_and_nothing_is_zero() {
    let files = [("cpu.stat", "usage_usec 0\nuser_usec 0\nsystem_usec 0\n")];
    assert_eq!(read(&files, &[]), [("cpu_user_us", 0), ("cpu_system_us", 0)]);
}

#[test]
fn a_device_without_io_so_far_has_none_and_that_is_known() {
    let names = read(&[("io.stat", "")], &[]);
    assert_eq!(names.iter().map(|(_, amount)| amount).sum::<u64>(), 0);
    assert_eq!(names.len(), 4);
}

#[test]
fn no_limit_is_no_number() {
    assert_eq!(read(&[("memory.peak", "max\n"), ("pids.current", "")], &[]), []);
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(bytes: Vec<u8>) {
        let mut usage = Usage::UNKNOWN;
        for parse in UNIFIED.iter().map(|row| row.1).chain(LEGACY.iter().map(|row| row.2)) {
            parse(&bytes, &mut usage);
        }
        let known: BTreeMap<Resource, u64> = usage.iter().collect();
        prop_assert!(known.len() <= Resource::COUNT);
    }
}
