//! A manifest in plain sentences, with everything that it grants without saying so.
//!
//! For the person who approves it: groups are spelled out, defaults are shown as what they are, and
//! what is declared but not enforced yet is marked as such.

use std::{
    fmt::{self, Write},
    time::SystemTime,
};

use picket_engine::{AccessSet, Capability, DANGER, Denials, Mode, OnExpiry, Protocol, SyscallSet};

use super::{
    Manifest, capabilities,
    declared::{Endpoint, Host, Until},
    groups, resolve, runtime, syscalls,
};
use crate::supervisor::{Confinement, StrictFiles};

/// Text is folded before this column.
const WIDTH: usize = 96;

impl Manifest {
    /// Writes what the manifest means.
    ///
    /// # Errors
    ///
    /// When `out` does not take more text.
    pub fn explain(&self, out: &mut impl Write) -> fmt::Result {
        self.explain_identity(out)?;
        self.explain_programs(out)?;
        self.explain_files(out)?;
        self.explain_network(out)?;
        self.explain_calls(out)?;
        self.explain_process(out)?;
        self.explain_answers(out)?;
        self.explain_promises(out)
    }

    fn explain_identity(&self, out: &mut impl Write) -> fmt::Result {
        let plugin = &self.declared.plugin;
        writeln!(out, "Plugin {}, version {}.", plugin.name, plugin.version)?;
        match &plugin.digest {
            Some(digest) => {
                writeln!(out, "Its entry point's file must have the digest {}.", digest.value)?
            }
            None => writeln!(out, "Its entry point may be any file: no digest is given.")?,
        }
        match self.declared.mode {
            Mode::Observe => writeln!(out, "Mode observe: departures are reported, never stopped."),
            Mode::Shadow => {
                writeln!(out, "Mode shadow: departures are reported with what would be done.")
            }
            Mode::Enforce => writeln!(out, "Mode enforce: departures are stopped as said below."),
        }
    }

    fn explain_programs(&self, out: &mut impl Write) -> fmt::Result {
        let rules = &self.declared.exec;
        let executable = || {
            let files = self.declared.files.iter();
            files.filter(|rule| rule.access.contains(AccessSet::EXECUTE))
        };
        if rules.is_empty() && executable().next().is_none() {
            return writeln!(out, "\nIt may run no program, not even its entry point.");
        }
        writeln!(out, "\nIt may run these programs and no others:")?;
        for rule in rules {
            write!(out, "  {}", rule.path.value)?;
            if let Some(interpreter) = &rule.interpreter {
                write!(out, ", a script, by {}", interpreter.value)?;
            }
            match &rule.argv {
                None => write!(out, ", with any arguments")?,
                Some(argv) => {
                    write!(out, ", as")?;
                    argv.iter().try_for_each(|pattern| write!(out, " \"{pattern}\""))?;
                }
            }
            writeln!(out, "{}", end(&rule.until))?;
        }
        executable().try_for_each(|rule| {
            writeln!(out, "  {}, with any arguments{}", rule.path.value, end(&rule.until))
        })
    }

    fn explain_files(&self, out: &mut impl Write) -> fmt::Result {
        let opened = |rule: &&super::declared::File| !rule.access.contains(AccessSet::EXECUTE);
        let rules: Vec<_> = self.declared.files.iter().filter(opened).collect();
        if rules.is_empty() {
            writeln!(out, "\nIt may open no file of its own.")?;
        } else {
            writeln!(out, "\nIt may open these files:")?;
        }
        for rule in rules {
            writeln!(out, "  {}: {}{}", rule.path.value, ways(rule.access), end(&rule.until))?;
        }
        if self.declared.runtime_files {
            writeln!(out, "And, because `files.runtime` is on, what programs need to start:")?;
            for files in &runtime::RUNTIME {
                let title = format!("  {} ({}):", files.what, ways(files.access));
                folded(out, &title, files.paths.iter().copied())?;
            }
        }
        if !self.declared.protect.is_empty() {
            writeln!(out, "It may never open these, by whatever name or link:")?;
            for path in &self.declared.protect {
                writeln!(out, "  {}", path.value)?;
            }
        }
        let title = "Protected from every plugin that does not name them:";
        let everywhere: Vec<_> = resolve::protected_everywhere().collect();
        folded(out, title, everywhere.iter().map(String::as_str))
    }

    fn explain_network(&self, out: &mut impl Write) -> fmt::Result {
        let (connect, listen) = (&self.declared.connect, &self.declared.listen);
        if connect.is_empty() {
            writeln!(out, "\nIt may connect and send nowhere.")?;
        } else {
            writeln!(out, "\nIt may connect and send to:")?;
            connect.iter().try_for_each(|rule| endpoint(out, rule))?;
        }
        if self.has_names() {
            writeln!(
                out,
                "Names are looked up by Picket; a plugin that looks them up itself needs"
            )?;
            writeln!(out, "its name server and /etc/resolv.conf declared as well.")?;
        }
        if listen.is_empty() {
            writeln!(out, "It may listen nowhere.")?;
        } else {
            writeln!(out, "It may listen on:")?;
            listen.iter().try_for_each(|rule| endpoint(out, rule))?;
        }
        let unix = &self.declared.unix;
        if !unix.is_empty() {
            let names: Vec<String> = unix.iter().map(|name| format!("@{}", name.value)).collect();
            let title = "It may talk to these Unix sockets of others:";
            folded(out, title, names.iter().map(String::as_str))?;
        }
        let sockets = &self.declared.sockets;
        if sockets.is_empty() {
            return Ok(());
        }
        let title = "It may have these sockets, whose peers are not judged:";
        folded(out, title, sockets.iter().map(|class| class.value.as_str()))
    }

    fn explain_calls(&self, out: &mut impl Write) -> fmt::Result {
        let calls = &self.declared.calls;
        writeln!(out)?;
        let runtime = calls.runtime.then_some(groups::RUNTIME);
        let written = calls.allow.iter().map(|text| text.value.as_str());
        let mut plain = Vec::new();
        for name in runtime.into_iter().chain(written) {
            match groups::group(name) {
                Some(group) => {
                    let title = format!("It may use {}, {}:", group.name, group.purpose);
                    folded(out, &title, group.calls())?;
                }
                None => plain.push(name),
            }
        }
        if !plain.is_empty() {
            folded(out, "It may use these system calls:", plain.iter().copied())?;
        }
        let dangerous = names(&calls.numbers, |number| DANGER.contains(number));
        if dangerous.is_empty() {
            writeln!(out, "None of them is in the danger set.")?;
        } else {
            let title = "THESE CAN UNDO A SANDBOX, and are granted by name:";
            folded(out, title, dangerous.into_iter())?;
        }
        if calls.foreign_abi {
            writeln!(out, "It may make 32-bit system calls, whichever they are.")?;
        }
        self.explain_filter(out)?;
        if self.declared.executable_memory.is_some() {
            writeln!(out, "IT MAY RUN WHAT IT HAS WRITTEN ITSELF, to memory or to its files.")?;
        }
        let held = &self.declared.capabilities;
        if held.is_empty() {
            return writeln!(out, "It keeps no Linux capability.");
        }
        folded(out, "It keeps these Linux capabilities:", held.iter().copied())?;
        let undo: Vec<_> =
            held.iter().copied().filter(|name| capabilities::undoes_the_watch(name)).collect();
        if undo.is_empty() {
            return Ok(());
        }
        folded(out, "WITH THESE IT CAN SWITCH PICKET OFF:", undo.into_iter())
    }

    fn explain_filter(&self, out: &mut impl Write) -> fmt::Result {
        let Confinement::Strict(filter) = self.confinement() else {
            return Ok(());
        };
        writeln!(
            out,
            "Confinement strict: every other system call is recorded and refused (EPERM)."
        )?;
        if !filter.any_socket {
            writeln!(
                out,
                "Sockets are refused, too, but for Unix, TCP, UDP and the routing table."
            )?;
        }
        match self.strict_files() {
            Some(StrictFiles::Mounting) => writeln!(
                out,
                "Files are not refused by it: Landlock would refuse the declared calls for mounting, too."
            )?,
            _ => writeln!(
                out,
                "Files and programs that are surely undeclared are refused (EACCES) where the kernel has Landlock."
            )?,
        }
        writeln!(out, "Destinations are refused by the hooks, which report it.")
    }

    fn explain_process(&self, out: &mut impl Write) -> fmt::Result {
        match self.declared.max_processes {
            1 => writeln!(out, "\nIt is one process and starts no other.")?,
            max => writeln!(out, "\nIt is at most {max} processes at once.")?,
        }
        let descriptors: Vec<_> = self.entry_descriptors().map(|n| n.to_string()).collect();
        if descriptors.is_empty() {
            writeln!(out, "It inherits no descriptor.")
        } else {
            writeln!(out, "It inherits the descriptors {}.", descriptors.join(", "))
        }
    }

    fn explain_answers(&self, out: &mut impl Write) -> fmt::Result {
        writeln!(out, "\nWhat follows a departure:")?;
        for capability in Capability::declared() {
            writeln!(out, "  {capability:<10} {}", self.declared.actions.get(capability))?;
        }
        let plan = self.declared.containment;
        let then = match plan.on_expiry {
            OnExpiry::Kill => "then it is killed",
            OnExpiry::Hold => "and stays so until a person decides",
        };
        let hold = humantime::format_duration(plan.hold);
        if self.declared.strict {
            let Denials { first, repeated } = self.declared.actions.denials();
            writeln!(
                out,
                "A refused system call is answered by {first}, the third and later by {repeated}."
            )?;
        }
        writeln!(out, "What is frozen is held for {hold}, {then}.")
    }

    fn explain_promises(&self, out: &mut impl Write) -> fmt::Result {
        let resources = self.resources();
        let limits = [
            resources.memory().map(|bytes| format!("at most {} of memory", size(bytes))),
            resources.cpu_percent().map(|percent| format!("at most {percent}% of one CPU")),
            resources.pids().map(|pids| format!("at most {pids} tasks")),
        ];
        let reports = self.reports().map(|report| format!("reports its {}", report.as_str()));
        let promises: Vec<_> = limits.into_iter().flatten().chain(reports).collect();
        if promises.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nDeclared, and not enforced yet: {}.", promises.join(", "))
    }
}

/// A number of bytes in the largest unit that divides it.
fn size(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = |&(shift, _): &(u32, &str)| shift <= bytes.trailing_zeros();
    match units.into_iter().find(whole) {
        Some((shift, unit)) => format!("{}{unit}", bytes >> shift),
        None => format!("{bytes}B"),
    }
}

fn endpoint(out: &mut impl Write, rule: &Endpoint) -> fmt::Result {
    match &rule.host.value {
        Host::Network(network) if network.prefix_len() == network.max_prefix_len() => {
            write!(out, "  {}", network.addr())?;
        }
        Host::Network(network) => write!(out, "  {network}")?,
        Host::Name(name) => write!(out, "  {name}")?,
    }
    let (first, last) = (*rule.ports.start(), *rule.ports.end());
    match (first, last) {
        (0, u16::MAX) => write!(out, ", any port")?,
        _ if first == last => write!(out, ", port {first}")?,
        _ => write!(out, ", ports {first} to {last}")?,
    }
    match rule.protocol {
        Protocol::Any => write!(out, ", any protocol")?,
        known => write!(out, ", {known}")?,
    }
    writeln!(out, "{}", end(&rule.until))
}

fn end(until: &Until) -> String {
    let moment = |time: SystemTime| humantime::format_rfc3339_seconds(time);
    until.as_ref().map_or(String::new(), |until| format!(", until {}", moment(until.value)))
}

fn ways(access: AccessSet) -> &'static str {
    match (access.contains(AccessSet::READ), access.contains(AccessSet::WRITE)) {
        (true, true) => "read and write",
        (true, false) => "read",
        (false, true) => "write, not read",
        (false, false) => "not at all",
    }
}

/// The names of the calls in a set that pass a test.
fn names(set: &SyscallSet, test: impl Fn(u32) -> bool) -> Vec<&'static str> {
    let numbers = (0..SyscallSet::LIMIT).filter(|&number| set.contains(number) && test(number));
    numbers.filter_map(syscalls::name).collect()
}

/// A title, and words folded and indented below it.
fn folded<'a>(
    out: &mut impl Write,
    title: &str,
    words: impl Iterator<Item = &'a str>,
) -> fmt::Result {
    write!(out, "{title}")?;
    let mut column = WIDTH;
    for word in words {
        if column + 1 + word.len() > WIDTH {
            write!(out, "\n   ")?;
            column = 3;
        }
        write!(out, " {word}")?;
        column += 1 + word.len();
    }
    writeln!(out)
}
