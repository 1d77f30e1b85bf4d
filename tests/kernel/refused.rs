//! A kernel side that cannot be loaded whole is not there in part, and of one that is nothing is left for others to remove.

use std::fs;
use std::path::Path;

use picket::probe::btf::KERNEL_BTF;
use picket::probe::{Probe, Settings};
use picket_tests::{meddle, require_root};
use serde_json::{Value, json};

use super::actor::Actor;
use super::harness::{Eye, sees_objects};
use super::place::Place;
use super::raw;

const SMALL: Settings = Settings { max_sandboxes: 2, refusals: true };

/// Descriptors of programs, maps and links that this process holds. Nothing of Picket is pinned, so what no process
/// holds is not in the kernel.
fn held() -> usize {
    let described = fs::read_dir("/proc/self/fdinfo").unwrap().flatten();
    let texts = described.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let kernels =
        |text: &String| ["prog_id:", "map_id:", "link_id:"].iter().any(|name| text.contains(*name));
    texts.filter(kernels).count()
}

#[expect(unsafe_code, reason = "setrlimit(2) has no safe wrapper in std")]
fn allow_descriptors(limit: u64) {
    let limit = libc::rlimit { rlim_cur: limit, rlim_max: 4_096 };
    // SAFETY: a structure that the kernel reads.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
}

#[test]
fn a_load_that_fails_half_way_leaves_no_program_map_or_link_behind() {
    require_root("it loads kernel programs");
    // A process of its own, which runs out of descriptors later each time: at the maps, the programs, the links.
    let told = Actor::start(|| {
        let mut refusals = Vec::new();
        for limit in (10..400).step_by(9) {
            allow_descriptors(limit);
            let outcome = Probe::load(SMALL);
            allow_descriptors(4_000);
            match outcome {
                Ok(probe) => {
                    assert!(10 < held(), "nothing is loaded");
                    drop(probe);
                    assert_eq!(held(), 0, "after a load with {limit} descriptors");
                    return json!(refusals);
                }
                Err(error) => {
                    assert_eq!(held(), 0, "after a refusal with {limit} descriptors: {error}");
                    refusals.push(error.to_string());
                }
            }
        }
        Value::Null
    })
    .act();
    let refusals = told.as_array().expect("enough descriptors at last");
    let is_among = |what: &str| refusals.iter().any(|said| said.as_str().unwrap().contains(what));
    assert!(is_among("maps") && is_among("refuses the program"), "{refusals:#?}");
}

/// Tries to load in a process of its own, whose surroundings were changed before; what is said. Nothing may be held then.
fn refusal(settings: Settings, change: impl FnOnce()) -> Option<String> {
    require_root("it loads kernel programs");
    let told = Actor::start(|| {
        raw::own_mounts().unwrap();
        change();
        // With the self-test: where LSM programs attach and do not run, it is what asks for the exits.
        let said = Eye::open_with(settings).err();
        assert_eq!(held(), 0, "{said:?}");
        json!(said)
    })
    .act();
    told.as_str().map(str::to_owned)
}

/// By the time this one is missed, most of the others are attached.
#[test]
fn a_kernel_without_a_tracepoint_is_refused_by_its_name_with_the_way_out_and_nothing_stays() {
    const NAME: &[u8] = b"\0btf_trace_signal_generate\0";
    let mut types = fs::read(KERNEL_BTF).unwrap();
    let at = types.windows(NAME.len()).position(|text| text == NAME).unwrap();
    types[at + 1] = b'x';
    let place = Place::new();
    let copy = place.join("btf");
    fs::write(&copy, types).unwrap();
    let said = refusal(SMALL, || raw::bind_mount(&copy, Path::new(KERNEL_BTF)).unwrap()).unwrap();
    let expected = "the kernel refuses the program signal_generate: this kernel has no \
                    btf_trace_signal_generate: boot Linux 6.1 or later, built with the options that \
                    docs/kernels.md lists under Required configuration";
    assert_eq!(said, expected);
}

fn without_an_exit() {
    raw::mount_new(c"tracefs", Path::new("/sys/kernel/tracing")).unwrap();
    let exit = Path::new("/sys/kernel/tracing/events/syscalls/sys_exit_creat");
    raw::mount_new(c"tmpfs", exit).unwrap();
}

#[test]
fn a_kernel_without_the_exit_of_a_call_is_refused_by_its_name_where_the_tier_needs_it() {
    let said = refusal(Settings { refusals: false, ..SMALL }, without_an_exit);
    if sees_objects() {
        return assert_eq!(said, None, "the tier `lsm` needs no exits");
    }
    let said = said.unwrap();
    let begin = "the kernel refuses the program sys_exit_creat: ";
    assert!(said.contains(begin) && said.contains("CONFIG_FTRACE_SYSCALLS=y"), "{said}");
}

#[test]
fn a_kernel_without_the_exit_of_a_call_cannot_report_refusals_in_any_tier() {
    let said = refusal(SMALL, without_an_exit).unwrap();
    let names = ["call_refused", "sys_exit_creat"];
    assert!(
        names.iter().any(|name| said.contains(&format!("refuses the program {name}: "))),
        "{said}"
    );
    assert!(said.contains("CONFIG_FTRACE_SYSCALLS=y"), "{said}");
}

#[test]
fn f6_nothing_is_pinned_so_that_no_pin_can_be_removed() {
    const PINS: &str = "/sys/fs/bpf";
    require_root("it loads kernel programs");
    Actor::start(|| {
        raw::own_mounts().unwrap();
        raw::mount_new(c"bpf", Path::new(PINS)).unwrap();
        let pins = || fs::read_dir(PINS).unwrap().count();
        // The kernel puts some of its own into a new one.
        let others = pins();
        let probe = Probe::load(SMALL).unwrap();
        assert_eq!(pins(), others);
        // That a pin would be seen there.
        meddle::map(std::process::id(), "SLOTS").pin(format!("{PINS}/slots")).unwrap();
        assert_eq!(pins(), others + 1);
        drop(probe);
        Value::Null
    })
    .act();
}
