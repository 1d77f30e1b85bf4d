//! What `/proc/<pid>/status` and `/proc/<pid>/stat` say about a process.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::capabilities::CapabilitySet;

/// The five capability sets, by their names in `status`.
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// The parts of `status` that the launcher and the gate judge by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) parent: u32,
    pub(super) tracer: u32,
    pub(super) threads: u32,
    /// Real, effective, saved and file-system ids.
    pub(super) uids: String,
    pub(super) gids: String,
    pub(super) no_new_privileges: bool,
    /// Seccomp filters it is under; 0 where the kernel has none.
    pub(super) filters: u32,
    pub(super) capabilities: [(&'static str, CapabilitySet); 5],
    /// Masks of the signals it blocks, ignores and catches: hexadecimal, without leading zeros.
    pub(super) signals: [(&'static str, String); 3],
}

impl Status {
    /// The process that a task belongs to, from its `status`.
    pub(super) fn group(text: &[u8]) -> Option<u32> {
        let text = String::from_utf8_lossy(text);
        text.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
    }

    /// `None` when a line is missing or unreadable.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text);
        let lines: BTreeMap<&str, &str> =
            text.lines().filter_map(|line| line.split_once(':')).collect();
        let value = |name: &str| lines.get(name).map(|value| value.trim());
        let number = |name| value(name)?.parse().ok();
        let set = |name| Some((name, CapabilitySet::from_status(value(name)?)?));
        let mask = |name| Some((name, value(name)?.trim_start_matches('0').to_owned()));
        let [inheritable, permitted, effective, bounding, ambient] = SETS;
        Some(Self {
            parent: number("PPid")?,
            tracer: number("TracerPid")?,
            threads: number("Threads")?,
            uids: value("Uid")?.to_owned(),
            gids: value("Gid")?.to_owned(),
            no_new_privileges: value("NoNewPrivs")? == "1",
            filters: value("Seccomp_filters").map_or(Some(0), |text| text.parse().ok())?,
            capabilities: [
                set(inheritable)?,
                set(permitted)?,
                set(effective)?,
                set(bounding)?,
                set(ambient)?,
            ],
            signals: [mask("SigBlk")?, mask("SigIgn")?, mask("SigCgt")?],
        })
    }
}

/// The parts of `stat` that tell one process from the next and a clone from a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    /// Whether it has executed a program since it was cloned.
    pub(super) has_executed: bool,
    /// When it was cloned, in clock ticks since boot.
    pub(super) start_ticks: u64,
}

impl Stat {
    /// `None` when the text is not as documented.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        const FLAGS: usize = 6;
        const START: usize = 19;
        // The name may hold anything, blanks and parentheses too: the last one ends it.
        let end_of_name = text.iter().rposition(|&byte| byte == b')')?;
        let (_name, rest) = text.split_at(end_of_name + 1);
        let fields: Vec<&str> = std::str::from_utf8(rest).ok()?.split_ascii_whitespace().collect();
        let flags: u64 = fields.get(FLAGS)?.parse().ok()?;
        Some(Self {
            has_executed: flags & u64::from(libc::PF_FORKNOEXEC.unsigned_abs()) == 0,
            start_ticks: fields.get(START)?.parse().ok()?,
        })
    }
}
