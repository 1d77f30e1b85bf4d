//! The kernel's files of numbers, each in its own form. Pure; what is not as documented is left out.

use picket_engine::{Resource, Usage};

pub(super) fn cpu_stat(text: &[u8], usage: &mut Usage) {
    keyed(text, b"user_usec", Resource::CpuUser, usage);
    keyed(text, b"system_usec", Resource::CpuSystem, usage);
    // Only with the controller.
    keyed(text, b"throttled_usec", Resource::CpuThrottled, usage);
}

pub(super) fn legacy_throttled(text: &[u8], usage: &mut Usage) {
    if let Some(nanos) = value_of(text, b"throttled_time") {
        usage.set(Resource::CpuThrottled, nanos / 1_000);
    }
}

pub(super) fn memory(text: &[u8], usage: &mut Usage) {
    single(text, Resource::Memory, usage);
}

pub(super) fn memory_peak(text: &[u8], usage: &mut Usage) {
    single(text, Resource::MemoryPeak, usage);
}

pub(super) fn tasks(text: &[u8], usage: &mut Usage) {
    single(text, Resource::Tasks, usage);
}

/// The same word in `memory.events` and `memory.oom_control`.
pub(super) fn oom_kills(text: &[u8], usage: &mut Usage) {
    keyed(text, b"oom_kill", Resource::OomKills, usage);
}

pub(super) fn cpu_pressure(text: &[u8], usage: &mut Usage) {
    pressure(text, Resource::CpuPressure, usage);
}

pub(super) fn memory_pressure(text: &[u8], usage: &mut Usage) {
    pressure(text, Resource::MemoryPressure, usage);
}

pub(super) fn io_pressure(text: &[u8], usage: &mut Usage) {
    pressure(text, Resource::IoPressure, usage);
}

/// `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0`, a line a device. No line is no I/O so far.
pub(super) fn io_stat(text: &[u8], usage: &mut Usage) {
    let sum = |name: &[u8]| {
        words(text).filter_map(|word| number(word.strip_prefix(name)?)).fold(0, u64::saturating_add)
    };
    usage.set(Resource::IoRead, sum(b"rbytes="));
    usage.set(Resource::IoWritten, sum(b"wbytes="));
    usage.set(Resource::IoReads, sum(b"rios="));
    usage.set(Resource::IoWrites, sum(b"wios="));
}

pub(super) fn legacy_io_bytes(text: &[u8], usage: &mut Usage) {
    by_direction(text, Resource::IoRead, Resource::IoWritten, usage);
}

pub(super) fn legacy_io_operations(text: &[u8], usage: &mut Usage) {
    by_direction(text, Resource::IoReads, Resource::IoWrites, usage);
}

/// `8:0 Read 123`, a line a device and direction, with other sums between. No line is unknown: newer kernels count here
/// only once somebody limits I/O, and say `Total 0` before.
fn by_direction(text: &[u8], read: Resource, written: Resource, usage: &mut Usage) {
    let sum = |direction: &[u8]| {
        let amounts = lines(text).filter_map(|line| {
            let mut words = words(line).skip(1);
            (words.next()? == direction).then(|| number(words.next()?))?
        });
        amounts.reduce(u64::saturating_add)
    };
    for (resource, amount) in [(read, sum(b"Read")), (written, sum(b"Write"))] {
        if let Some(amount) = amount {
            usage.set(resource, amount);
        }
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=123`, in microseconds.
fn pressure(text: &[u8], resource: Resource, usage: &mut Usage) {
    let some = lines(text).find(|line| line.starts_with(b"some "));
    let total = some.and_then(|line| words(line).find_map(|word| word.strip_prefix(b"total=")));
    if let Some(total) = total.and_then(number) {
        usage.set(resource, total);
    }
}

fn single(text: &[u8], resource: Resource, usage: &mut Usage) {
    if let Some(amount) = number(text.trim_ascii()) {
        usage.set(resource, amount);
    }
}

fn keyed(text: &[u8], key: &[u8], resource: Resource, usage: &mut Usage) {
    if let Some(amount) = value_of(text, key) {
        usage.set(resource, amount);
    }
}

fn value_of(text: &[u8], key: &[u8]) -> Option<u64> {
    lines(text).find_map(|line| {
        let mut words = words(line);
        (words.next()? == key).then(|| number(words.next()?))?
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n')
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}
