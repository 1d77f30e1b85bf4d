//! Everything that is one value or a short list: identity, mode, limits, answers to departures.

use std::{collections::BTreeSet, time::Duration};

use picket_engine::{Action, Actions, Capability, ContainmentPlan, Denials, Mode, OnExpiry};

use super::super::{
    declared::{HOLD, Plugin, Report, Resources},
    schema,
};
use crate::document::{At, Digest, Faults, Fix, Once, Text, values};

/// The entry point alone: more processes are declared.
pub(in super::super) const DEFAULT_PROCESSES: u32 = 1;
/// The most the kernel gives out on a 64-bit machine (`PID_MAX_LIMIT`).
pub(in super::super) const MAX_PROCESSES: u32 = 4 << 20;
/// Above any sensible number of descriptors to hand over, below any limit on them.
pub(in super::super) const MAX_DESCRIPTOR: u32 = 1023;
/// Less than this does not hold a libc.
const MIN_MEMORY: u64 = 1 << 20;
/// More CPUs than machines have.
const MAX_CPU_PERCENT: u32 = 100 * 8192;
/// A suspect frozen for longer than this is one that everybody forgot.
const MAX_HOLD: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Shorter leases end before anybody could renew them.
const MIN_HOLD: Duration = Duration::from_secs(1);
pub(in super::super) const MAX_NAME: usize = 63;
pub(in super::super) const MAX_VERSION: usize = 64;

pub(super) fn version(version: &Text, faults: &mut Faults) {
    if version.value != "1" {
        faults.add(
            version.position,
            format!("manifest version `{}` is not one this Picket reads", version.value),
            "write `version: 1`",
        );
    }
}

pub(super) fn plugin(plugin: &schema::Plugin, faults: &mut Faults) -> Option<Plugin> {
    let name = faults.take(plugin.name.position, name(&plugin.name.value));
    let version = faults.take(plugin.version.position, plugin_version(&plugin.version.value));
    let digest = plugin.digest.as_ref().and_then(|text| {
        let value = faults.take(text.position, Digest::parse(&text.value))?;
        Some(At { value, position: text.position })
    });
    Some(Plugin { name: name?, version: version?, digest })
}

/// The name becomes part of a cgroup's name, so it must not be able to say anything else there.
fn name(name: &str) -> Result<String, Fix> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let inner = |c: char| edge(c) || matches!(c, '-' | '_');
    let fits = name.len() <= MAX_NAME
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(inner);
    if fits {
        return Ok(name.to_owned());
    }
    Err(Fix::new(
        format!("`{name}` is not a plugin name"),
        format!("use up to {MAX_NAME} of a-z, 0-9, - and _, a letter or digit first and last"),
    ))
}

fn plugin_version(version: &str) -> Result<String, Fix> {
    let fits =
        (1..=MAX_VERSION).contains(&version.len()) && version.chars().all(|c| c.is_ascii_graphic());
    if fits {
        return Ok(version.to_owned());
    }
    Err(Fix::new(
        format!("`{version}` is not a plugin version"),
        format!("use up to {MAX_VERSION} ASCII characters without spaces, such as 1.4.2"),
    ))
}

pub(super) fn mode(mode: Option<&Text>, faults: &mut Faults) -> Mode {
    let known: Vec<_> = Mode::ALL.iter().map(|&mode| (mode.as_str(), mode)).collect();
    faults.word("a mode", mode, &known, Mode::Enforce)
}

/// Whether it is strict. A filter refuses whatever the mode, so the other modes would not be what
/// they say.
pub(super) fn confinement(confinement: Option<&Text>, mode: Mode, faults: &mut Faults) -> bool {
    let strict =
        faults.word("a confinement", confinement, &[("standard", false), ("strict", true)], false);
    if let (true, Some(text), Mode::Observe | Mode::Shadow) = (strict, confinement, mode) {
        faults.add(
            text.position,
            format!("`confinement: strict` refuses system calls, which `mode: {mode}` must not"),
            "write `mode: enforce`, or `confinement: standard` until the manifest is complete",
        );
    }
    strict
}

pub(super) fn processes(processes: &schema::Processes, faults: &mut Faults) -> u32 {
    processes
        .max
        .as_ref()
        .and_then(|max| faults.take(max.position, values::number(&max.value, 1..=MAX_PROCESSES)))
        .unwrap_or(DEFAULT_PROCESSES)
}

pub(super) fn descriptors(
    descriptors: Option<&At<Vec<Text>>>,
    faults: &mut Faults,
) -> BTreeSet<u32> {
    let Some(descriptors) = descriptors else {
        return BTreeSet::from([0, 1, 2]);
    };
    let mut once = Once::new();
    descriptors
        .value
        .iter()
        .filter_map(|text| {
            let number = values::number(&text.value, 0..=MAX_DESCRIPTOR);
            let number = faults.take(text.position, number)?;
            once.declare(number, &format!("descriptor {number}"), text.position, faults);
            Some(number)
        })
        .collect()
}

pub(super) fn resources(resources: &schema::Resources, faults: &mut Faults) -> Resources {
    let memory = resources.memory.as_ref().and_then(|text| {
        let bytes = values::size(&text.value).and_then(|bytes| {
            let least = "write at least 1MiB";
            let message = || format!("`{}` of memory starts no program", text.value);
            if bytes < MIN_MEMORY { Err(Fix::new(message(), least)) } else { Ok(bytes) }
        });
        faults.take(text.position, bytes)
    });
    let cpu_percent = resources.cpu.as_ref().and_then(|text| {
        let percent = values::percent(&text.value).and_then(|percent| match percent {
            1..=MAX_CPU_PERCENT => Ok(percent),
            _ => Err(Fix::new(
                format!("`{}` is out of range", text.value),
                format!("write 1% to {MAX_CPU_PERCENT}% of one CPU"),
            )),
        });
        faults.take(text.position, percent)
    });
    let pids = resources.pids.as_ref().and_then(|text| {
        faults.take(text.position, values::number(&text.value, 1..=MAX_PROCESSES))
    });
    Resources { memory, cpu_percent, pids }
}

pub(super) fn reports(reports: &[Text], faults: &mut Faults) -> BTreeSet<Report> {
    let known = Report::ALL.map(|report| (report.as_str(), Some(report)));
    let mut once = Once::new();
    reports
        .iter()
        .filter_map(|text| {
            let report = faults.word("a report", Some(text), &known, None)?;
            once.declare(report, &format!("`{}`", text.value), text.position, faults);
            Some(report)
        })
        .collect()
}

pub(super) fn actions(written: &schema::Actions, faults: &mut Faults) -> Actions {
    let known: Vec<_> = Action::ALL.iter().map(|&action| (action.as_str(), action)).collect();
    let rows = [
        (Capability::Exec, &written.exec, Action::Freeze),
        (Capability::Files, &written.files, Action::Freeze),
        (Capability::Network, &written.network, Action::Freeze),
        (Capability::Listen, &written.listen, Action::Freeze),
        (Capability::Syscalls, &written.syscalls, Action::Alert),
        (Capability::Danger, &written.danger, Action::Freeze),
        (Capability::Processes, &written.processes, Action::Freeze),
        (Capability::Escape, &written.escape, Action::Kill),
        (Capability::Telemetry, &written.telemetry, Action::Alert),
    ];
    let standard = Denials::STANDARD;
    let first = faults.word("an action", written.denied.as_ref(), &known, standard.first);
    let least = standard.repeated.max(first);
    let repeated = faults.word("an action", written.denied_repeatedly.as_ref(), &known, least);
    if let (true, Some(text)) = (repeated < first, written.denied_repeatedly.as_ref()) {
        faults.add(
            text.position,
            format!("a repeated attempt cannot be answered more mildly than the first, by {first}"),
            format!("write {first}, or remove `denied_repeatedly`"),
        );
    }
    // Every capability has a row; `strict` is only where the chain starts.
    let actions = Actions::strict().with_denials(Denials { first, repeated });
    rows.into_iter().fold(actions, |actions, (capability, text, default)| {
        let text = text.as_ref();
        let action = faults.word("an action", text, &known, default);
        if let (Capability::Escape, Action::Alert, Some(text)) = (capability, action, text) {
            faults.add(
                text.position,
                "an escape cannot be answered by an alert alone: what left is no longer contained",
                "write freeze or kill",
            );
        }
        actions.with(capability, action)
    })
}

pub(super) fn containment(written: &schema::Containment, faults: &mut Faults) -> ContainmentPlan {
    let hold = written.hold.as_ref().and_then(|text| {
        let hold = values::duration(&text.value).and_then(|hold| {
            if (MIN_HOLD..=MAX_HOLD).contains(&hold) {
                return Ok(hold);
            }
            Err(Fix::new(
                format!("`{}` is no time to hold a frozen plugin", text.value),
                "write 1s to 30d; `on_expiry: hold` keeps it frozen after that, too",
            ))
        });
        faults.take(text.position, hold)
    });
    let known: Vec<_> = OnExpiry::ALL.iter().map(|&then| (then.as_str(), then)).collect();
    let on_expiry =
        faults.word("an end of a hold", written.on_expiry.as_ref(), &known, OnExpiry::Hold);
    ContainmentPlan { hold: hold.unwrap_or(HOLD), on_expiry }
}
