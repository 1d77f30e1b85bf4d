//! What a sandbox uses, beside what the kernel's own files say: in the unified tree, and on a hybrid host in the
//! hierarchies of the controllers.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use picket::supervisor::{Buffer, ForeignCgroup, Meter, Running};
use picket_engine::Resource;

use super::host::{PATIENCE, eventually, root, shell, start};

const MIB: u64 = 1 << 20;

/// Holds 32 MiB of memory of its own, and goes on.
const HOLD: &str = "x=$(head -c 33554432 /dev/zero | tr '\\0' x); while :; do :; done";

fn used(meter: &Meter, resource: Resource) -> Option<u64> {
    meter.read(&mut Buffer::empty()).unwrap().get(resource)
}

/// Where a controller counts a process: in its own hierarchy if it has one, as `true`; else in the unified tree.
fn counted_at(process: u32, controller: &str) -> (PathBuf, bool) {
    let text = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap();
    for line in text.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next().unwrap(), fields.next().unwrap());
        if controllers.split(',').any(|one| one == controller) {
            let path = path.strip_prefix('/').unwrap();
            return (Path::new("/sys/fs/cgroup").join(controllers).join(path), true);
        }
    }
    let unified = text.lines().find_map(|line| line.strip_prefix("0::/")).unwrap();
    (root().mount().join(unified), false)
}

/// The number in the first of these files, for a controller with its own hierarchy, or in the second.
fn kernel_says(running: &Running, controller: &str, [legacy, unified]: [&str; 2]) -> u64 {
    let (place, is_legacy) = counted_at(running.pid(), controller);
    let text = fs::read_to_string(place.join(if is_legacy { legacy } else { unified })).unwrap();
    text.trim().parse().unwrap()
}

fn user_time(running: &Running) -> u64 {
    let text = fs::read_to_string(running.sandbox().path().join("cpu.stat")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("user_usec ")).unwrap();
    line.parse().unwrap()
}

#[test]
fn cpu_time_is_what_the_kernel_says_before_and_after() {
    let running = start(&shell("while :; do :; done"));
    let meter = running.sandbox().meter();
    eventually("a fifth of a second of work", PATIENCE, || {
        Some(200_000) < used(&meter, Resource::CpuUser)
    });
    let before = user_time(&running);
    let between = used(&meter, Resource::CpuUser).unwrap();
    assert!((before..=user_time(&running)).contains(&between), "{before} {between}");
}

#[test]
fn memory_that_is_held_is_counted_and_is_what_the_controller_says() {
    let running = start(&shell(HOLD));
    let meter = running.sandbox().meter();
    eventually("32 MiB", PATIENCE, || Some(32 * MIB) < used(&meter, Resource::Memory));
    // The script is at rest by then, or about to be.
    eventually("the kernel's own number", PATIENCE, || {
        let files = ["memory.usage_in_bytes", "memory.current"];
        used(&meter, Resource::Memory) == Some(kernel_says(&running, "memory", files))
    });
    let files = ["memory.max_usage_in_bytes", "memory.peak"];
    let (place, is_legacy) = counted_at(running.pid(), "memory");
    let file = place.join(if is_legacy { files[0] } else { files[1] });
    let peak = file.exists().then(|| kernel_says(&running, "memory", files));
    assert_eq!(used(&meter, Resource::MemoryPeak), peak, "absent where the kernel has none");
}

#[test]
fn every_thread_is_counted_and_no_more_once_it_has_ended() {
    let running = start(&shell("sleep 60 & sleep 60 & sleep 60 & wait"));
    let meter = running.sandbox().meter();
    eventually("four tasks", PATIENCE, || used(&meter, Resource::Tasks) == Some(4));
    running.sandbox().kill().unwrap();
    eventually("none", PATIENCE, || used(&meter, Resource::Tasks) == Some(0));
}

#[test]
fn a_process_that_is_killed_for_want_of_memory_is_counted() {
    let script = format!("sleep 1; while :; do (ulimit -c 0; {HOLD}); done");
    let running = start(&shell(&script));
    let meter = running.sandbox().meter();
    assert_eq!(used(&meter, Resource::OomKills), Some(0));
    let (place, is_legacy) = counted_at(running.pid(), "memory");
    let file = if is_legacy { "memory.limit_in_bytes" } else { "memory.max" };
    fs::write(place.join(file), (8 * MIB).to_string()).unwrap();
    eventually("a kill", PATIENCE, || Some(1) <= used(&meter, Resource::OomKills));
}

#[test]
fn bytes_that_go_to_a_block_device_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("written");
    // Past the page cache: what is written back later may count for somebody else.
    let script = "dd if=/dev/zero of=FILE bs=65536 count=16 oflag=direct 2>&-; while :; do :; done";
    let running = start(&shell(&script.replace("FILE", file.to_str().unwrap())));
    let meter = running.sandbox().meter();
    // A file system of memory or of another machine has no block device, major number 0.
    let is_on_a_device = libc::major(directory.path().metadata().unwrap().dev()) != 0;
    let (place, is_legacy) = counted_at(running.pid(), "blkio");
    if is_legacy {
        // Newer kernels count there only once somebody limits I/O; what they do not count is absent.
        eventually("16 blocks", PATIENCE, || {
            fs::metadata(&file).is_ok_and(|file| file.len() == MIB)
        });
        let file = place.join("blkio.throttle.io_service_bytes_recursive");
        let counts = fs::read_to_string(file).unwrap().contains(" Write ");
        assert_eq!(used(&meter, Resource::IoWritten).is_some(), counts);
    } else if is_on_a_device {
        eventually("a MiB", PATIENCE, || Some(MIB) <= used(&meter, Resource::IoWritten));
        assert!(Some(1) <= used(&meter, Resource::IoWrites));
    } else {
        assert_eq!(used(&meter, Resource::IoWritten), Some(0));
    }
}

#[test]
fn a_sandbox_that_is_gone_has_no_reading_and_leaves_no_cgroup_in_any_hierarchy() {
    let running = start(&shell("while :; do :; done"));
    let meter = running.sandbox().meter();
    let places = ["memory", "pids", "blkio"].map(|name| counted_at(running.pid(), name).0);
    let name = running.sandbox().path().file_name().unwrap().to_owned();
    assert!(places.iter().all(|place| place.ends_with(&name) && place.exists()), "{places:?}");
    running.end();
    assert_eq!(meter.read(&mut Buffer::empty()), None);
    assert!(places.iter().all(|place| !place.exists()), "{places:?}");
}

#[test]
fn a_cgroup_of_others_that_shares_a_controllers_cgroup_has_nothing_of_it() {
    let running = start(&shell("while :; do :; done"));
    let (own, is_legacy) = counted_at(running.pid(), "memory");
    let meter = |running: &Running| ForeignCgroup::open(running.sandbox().path()).unwrap().meter();
    assert!(used(&meter(&running), Resource::Memory).is_some(), "alone in its own");
    if is_legacy {
        // Now somebody else is in it, too.
        let mut other = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        fs::write(own.join("cgroup.procs"), other.id().to_string()).unwrap();
        let shared = used(&meter(&running), Resource::Memory);
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(shared, None);
    }
}
