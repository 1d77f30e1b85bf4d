//! What a sandbox uses of the machine: the kernel's own counts, and how fast they grow.
//!
//! A count that a kernel does not keep is absent and never 0: a sandbox that cannot be measured must not look idle.

use crate::KernelTime;

closed_enum! {
    /// Something that is used, spelt with its unit.
    pub enum Resource {
        /// Microseconds that its tasks ran in user space.
        CpuUser = "cpu_user_us",
        /// Microseconds that its tasks ran in the kernel.
        CpuSystem = "cpu_system_us",
        /// Microseconds that it was kept from running by a limit.
        CpuThrottled = "cpu_throttled_us",
        /// Microseconds in which a task of it waited for a CPU.
        CpuPressure = "cpu_pressure_us",
        /// Bytes of memory that it holds now, page cache included.
        Memory = "memory_bytes",
        /// The most that it ever held.
        MemoryPeak = "memory_peak_bytes",
        /// Processes of it that the kernel killed for want of memory.
        OomKills = "oom_kills",
        /// Microseconds in which a task of it waited for memory.
        MemoryPressure = "memory_pressure_us",
        /// Bytes read from block devices.
        IoRead = "io_read_bytes",
        /// Bytes written to block devices.
        IoWritten = "io_written_bytes",
        /// Reads of block devices.
        IoReads = "io_reads",
        /// Writes to block devices.
        IoWrites = "io_writes",
        /// Microseconds in which a task of it waited for a block device.
        IoPressure = "io_pressure_us",
        /// Threads that there are now.
        Tasks = "tasks",
        /// Bytes of IP packets that its sockets received, headers included.
        Received = "network_received_bytes",
        /// IP packets that its sockets received.
        ReceivedPackets = "network_received_packets",
        /// Bytes of IP packets that its sockets sent, headers included.
        Sent = "network_sent_bytes",
        /// IP packets that its sockets sent.
        SentPackets = "network_sent_packets",
    }
}

impl Resource {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Whether it is an amount at a moment, which rises and falls. All others only grow.
    pub const fn is_level(self) -> bool {
        matches!(self, Self::Memory | Self::MemoryPeak | Self::Tasks)
    }
}

/// What one sandbox has used by some moment. What is not in it was not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage([Option<u64>; Resource::COUNT]);

impl Usage {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self([None; Resource::COUNT]);

    /// How much of it; `None` when nobody counts it.
    pub fn get(&self, resource: Resource) -> Option<u64> {
        self.0.get(resource as usize).copied().flatten()
    }

    /// Puts a count in. One that is there already goes.
    pub fn set(&mut self, resource: Resource, amount: u64) {
        if let Some(place) = self.0.get_mut(resource as usize) {
            *place = Some(amount);
        }
    }

    /// All that is known, in the order of [`Resource::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Resource, u64)> {
        let all = Resource::ALL.iter().zip(self.0);
        all.filter_map(|(resource, amount)| Some((*resource, amount?)))
    }
}

impl FromIterator<(Resource, u64)> for Usage {
    fn from_iter<T: IntoIterator<Item = (Resource, u64)>>(amounts: T) -> Self {
        let mut usage = Self::UNKNOWN;
        for (resource, amount) in amounts {
            usage.set(resource, amount);
        }
        usage
    }
}

/// What a sandbox uses: the last word of the kernel, and what each count grew by in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceProfile {
    last: Option<(KernelTime, Usage)>,
    rate: Usage,
}

impl ResourceProfile {
    /// Takes a reading over. One that is not later than the last says nothing about rates and is left out.
    pub fn update(&mut self, usage: &Usage, at: KernelTime) {
        if let Some((then, former)) = &self.last {
            let elapsed = at.duration_since(*then).as_nanos();
            if elapsed == 0 {
                return;
            }
            let grown = usage.iter().filter(|(resource, _)| !resource.is_level());
            self.rate = grown
                .filter_map(|(resource, now)| {
                    // A count that fell is another count: its cgroup was made anew.
                    let grown = now.checked_sub(former.get(resource)?)?;
                    let rate = u128::from(grown) * NANOS_PER_SECOND / elapsed;
                    Some((resource, u64::try_from(rate).unwrap_or(u64::MAX)))
                })
                .collect();
        }
        self.last = Some((at, *usage));
    }

    /// What the kernel said last, and when.
    pub const fn last(&self) -> Option<(KernelTime, Usage)> {
        self.last
    }

    /// By how much a count grew in a second, between the last two readings. `None` for levels, for what is not counted,
    /// and before the second reading.
    pub fn rate(&self, resource: Resource) -> Option<u64> {
        self.rate.get(resource)
    }
}

const NANOS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests;
