//! Programs: one entry each, the entry point first.

use picket_engine::{
    ObservedPath, Pattern, Unresolved,
    baseline::varying::{TEMPORARY, escaped},
};

use super::{
    lines::{self, List},
    places,
    seen::{Program, Seen},
};

/// Places beside the temporary directories where anybody may put a program.
const WRITABLE: [&str; 2] = ["/run/lock", "/run/user"];

/// The list `exec`, and the programs that are not granted.
#[derive(Debug, Default)]
pub(super) struct Programs {
    pub(super) list: List,
    pub(super) left: Vec<Program>,
}

impl Programs {
    /// Whether an entry of the list lets this file be opened in order to run it.
    pub(super) fn run(&self, seen: &Seen, path: &ObservedPath) -> bool {
        let mut granted = seen.programs.keys().filter(|program| !self.left.contains(program));
        granted.any(|program| program.path == *path || script_is(program, path))
    }

    /// Whether an entry of the list lets this file be read as a script.
    pub(super) fn read(&self, seen: &Seen, path: &ObservedPath) -> bool {
        let mut granted = seen.programs.keys().filter(|program| !self.left.contains(program));
        granted.any(|program| script_is(program, path))
    }
}

fn script_is(program: &Program, path: &ObservedPath) -> bool {
    let text = program.script.as_deref();
    matches!(path, ObservedPath::Resolved(path) if Some(path.as_slice()) == text)
}

pub(super) fn programs(seen: &Seen) -> Programs {
    let mut found = Programs::default();
    let entry = seen.programs.iter().filter(|(program, _)| Some(*program) == seen.entry.as_ref());
    let others = seen.programs.iter().filter(|(program, _)| Some(*program) != seen.entry.as_ref());
    for (program, evidence) in entry.chain(others) {
        let is_entry = Some(program) == seen.entry.as_ref();
        let value = written(program);
        match trouble(seen, program) {
            Some(why) => {
                let why = if is_entry { format!("the entry point; {why}") } else { why.to_owned() };
                found.list.leave(value, &why, evidence);
                found.left.push(program.clone());
            }
            None if is_entry => found.list.grant(value, "the entry point".to_owned()),
            None => found.list.grant(value, lines::first(evidence)),
        }
    }
    found
}

fn written(program: &Program) -> String {
    let path = match &program.path {
        ObservedPath::Resolved(path) => path.as_slice(),
        ObservedPath::Unresolved(_) => b"?",
    };
    let text = |bytes: &[u8]| lines::value(&escaped(&String::from_utf8_lossy(bytes)));
    match &program.script {
        None => format!("{{ path: {} }}", text(path)),
        Some(script) => format!("{{ path: {}, interpreter: {} }}", text(script), text(path)),
    }
}

/// Why a person must decide about a program.
fn trouble(seen: &Seen, program: &Program) -> Option<&'static str> {
    let path = match &program.path {
        _ if program.unlinked => return Some("in no directory; cannot be granted"),
        ObservedPath::Unresolved(Unresolved::NoName) => {
            return Some("in no directory; cannot be granted");
        }
        ObservedPath::Unresolved(_) => return Some("its path is not known; cannot be granted"),
        ObservedPath::Resolved(path) => path,
    };
    let script = program.script.as_deref();
    if script.is_some_and(|script| !script.starts_with(b"/")) {
        return Some("a script by a relative name; call it by its absolute path");
    }
    for file in [Some(path.as_slice()), script].into_iter().flatten() {
        let Some(text) = std::str::from_utf8(file).ok() else {
            return Some("not UTF-8; cannot be written in a manifest");
        };
        if !is_writable_as(&escaped(text)) {
            return Some("cannot be written in a manifest");
        }
        let mut open = TEMPORARY.iter().chain(&WRITABLE);
        if open.any(|place| text.strip_prefix(place).is_some_and(|rest| rest.starts_with('/'))) {
            return Some("dangerous, in a place where anybody may write");
        }
        let known = seen.files.get(&ObservedPath::Resolved(file.to_vec()));
        if known.is_some_and(|known| known.written.is_some()) {
            return Some("dangerous, the plugin wrote it itself");
        }
        if places::danger(text, false, |_| false).is_some() {
            return Some("dangerous, in a place that is not for programs");
        }
    }
    None
}

/// Whether a pattern is one that a manifest may hold.
pub(in super::super) fn is_writable_as(pattern: &str) -> bool {
    Pattern::parse(pattern)
        .is_ok_and(|pattern| !super::super::check::is_per_process(&pattern.literal_prefix()))
}
