//! What a sandbox has used, in families by the rules of Prometheus: base units, one family a unit.
//!
//! Amounts of several sandboxes make no sense as one, so a sandbox without series of its own has none of these.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use picket_engine::{Resource, Usage};
use prometheus::{core::Desc, proto::MetricFamily};

use super::typed::{Family, Value, description};
use crate::export::registry::{Counter, Gauge, metric};

/// In the place of what nobody counts. The kernel's counters never get there.
const UNKNOWN: u64 = u64::MAX;

/// Series of a sandbox of which everything is counted.
pub(super) const OF_USAGE: usize = Resource::COUNT;

/// What one sandbox has used.
#[derive(Debug)]
pub(super) struct Used([AtomicU64; Resource::COUNT]);

impl Default for Used {
    fn default() -> Self {
        Self([const { AtomicU64::new(UNKNOWN) }; Resource::COUNT])
    }
}

impl Used {
    /// What was counted stays when it is not counted any more: a counter must not vanish and come back.
    pub(super) fn set(&self, usage: &Usage) {
        for (resource, amount) in usage.iter() {
            if let Some(place) = self.0.get(resource as usize) {
                place.store(amount.min(UNKNOWN - 1), Relaxed);
            }
        }
    }

    fn known(&self) -> impl Iterator<Item = (Resource, u64)> {
        let all = Resource::ALL.iter().zip(&self.0);
        let all = all.map(|(resource, amount)| (*resource, amount.load(Relaxed)));
        all.filter(|(_, amount)| *amount != UNKNOWN)
    }

    /// Series that there are not.
    pub(super) fn n_unknown(&self) -> usize {
        OF_USAGE - self.known().count()
    }
}

/// All families, filled when somebody asks.
pub(super) struct Families {
    cpu: Family<Counter, 3>,
    throttled: Family<Counter, 2>,
    pressure: Family<Counter, 3>,
    memory: Family<Gauge, 2>,
    peak: Family<Gauge, 2>,
    oom_kills: Family<Counter, 2>,
    io_bytes: Family<Counter, 3>,
    io_operations: Family<Counter, 3>,
    tasks: Family<Gauge, 2>,
    network_bytes: Family<Counter, 3>,
    network_packets: Family<Counter, 3>,
}

impl Families {
    pub(super) fn new() -> Self {
        Self {
            cpu: Family::new(&metric::SANDBOX_CPU_SECONDS_TOTAL),
            throttled: Family::new(&metric::SANDBOX_CPU_THROTTLED_SECONDS_TOTAL),
            pressure: Family::new(&metric::SANDBOX_PRESSURE_SECONDS_TOTAL),
            memory: Family::new(&metric::SANDBOX_MEMORY_BYTES),
            peak: Family::new(&metric::SANDBOX_MEMORY_PEAK_BYTES),
            oom_kills: Family::new(&metric::SANDBOX_OOM_KILLS_TOTAL),
            io_bytes: Family::new(&metric::SANDBOX_IO_BYTES_TOTAL),
            io_operations: Family::new(&metric::SANDBOX_IO_OPERATIONS_TOTAL),
            tasks: Family::new(&metric::SANDBOX_TASKS),
            network_bytes: Family::new(&metric::SANDBOX_NETWORK_BYTES_TOTAL),
            network_packets: Family::new(&metric::SANDBOX_NETWORK_PACKETS_TOTAL),
        }
    }

    pub(super) fn descriptions() -> [Desc; 11] {
        [
            description(&metric::SANDBOX_CPU_SECONDS_TOTAL),
            description(&metric::SANDBOX_CPU_THROTTLED_SECONDS_TOTAL),
            description(&metric::SANDBOX_PRESSURE_SECONDS_TOTAL),
            description(&metric::SANDBOX_MEMORY_BYTES),
            description(&metric::SANDBOX_MEMORY_PEAK_BYTES),
            description(&metric::SANDBOX_OOM_KILLS_TOTAL),
            description(&metric::SANDBOX_IO_BYTES_TOTAL),
            description(&metric::SANDBOX_IO_OPERATIONS_TOTAL),
            description(&metric::SANDBOX_TASKS),
            description(&metric::SANDBOX_NETWORK_BYTES_TOTAL),
            description(&metric::SANDBOX_NETWORK_PACKETS_TOTAL),
        ]
    }

    /// `who`: plugin and slot.
    pub(super) fn add(&mut self, who: [Value<'_>; 2], used: &Used) {
        let [plugin, slot] = who;
        for (resource, amount) in used.known() {
            let of = |word: &'static str| [plugin, slot, word.into()];
            match resource {
                Resource::CpuUser => self.cpu.add_micros(of("user"), amount),
                Resource::CpuSystem => self.cpu.add_micros(of("system"), amount),
                Resource::CpuThrottled => self.throttled.add_micros(who, amount),
                Resource::CpuPressure => self.pressure.add_micros(of("cpu"), amount),
                Resource::MemoryPressure => self.pressure.add_micros(of("memory"), amount),
                Resource::IoPressure => self.pressure.add_micros(of("io"), amount),
                Resource::Memory => self.memory.add(who, amount),
                Resource::MemoryPeak => self.peak.add(who, amount),
                Resource::OomKills => self.oom_kills.add(who, amount),
                Resource::IoRead => self.io_bytes.add(of("read"), amount),
                Resource::IoWritten => self.io_bytes.add(of("write"), amount),
                Resource::IoReads => self.io_operations.add(of("read"), amount),
                Resource::IoWrites => self.io_operations.add(of("write"), amount),
                Resource::Tasks => self.tasks.add(who, amount),
                Resource::Received => self.network_bytes.add(of("receive"), amount),
                Resource::Sent => self.network_bytes.add(of("transmit"), amount),
                Resource::ReceivedPackets => self.network_packets.add(of("receive"), amount),
                Resource::SentPackets => self.network_packets.add(of("transmit"), amount),
            }
        }
    }

    pub(super) fn done(self) -> [MetricFamily; 11] {
        [
            self.cpu.done(),
            self.throttled.done(),
            self.pressure.done(),
            self.memory.done(),
            self.peak.done(),
            self.oom_kills.done(),
            self.io_bytes.done(),
            self.io_operations.done(),
            self.tasks.done(),
            self.network_bytes.done(),
            self.network_packets.done(),
        ]
    }
}

#[cfg(test)]
mod tests;
