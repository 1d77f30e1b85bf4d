//! Programs and files: patterns that must compile, and must not contradict each other.

use picket_engine::{AccessSet, ArgPattern, Pattern, PatternError};

use super::super::{
    declared::{Exec, File},
    schema::{self, Grant},
};
use crate::document::{At, Faults, Fix, Once, Position, Text};

pub(super) fn exec(written: &[At<schema::Exec>], faults: &mut Faults) -> Vec<Exec> {
    let mut once = Once::new();
    let mut rules = Vec::new();
    for At { value: entry, position } in written {
        let path = pattern(&entry.path, faults);
        let interpreter = entry.interpreter.as_ref().map(|text| pattern(text, faults));
        let argv = entry.argv.as_ref().map(|argv| arguments(argv, *position, faults));
        let until = faults.until(entry.expires.as_ref());
        let words = |text: &Text| text.value.clone();
        let key = (
            words(&entry.path),
            entry.interpreter.as_ref().map(words),
            entry.argv.as_ref().map(|argv| argv.iter().map(words).collect::<Vec<_>>()),
        );
        once.declare(key, "this program", *position, faults);
        let (Some(path), Ok(interpreter), Ok(argv)) = (path, complete(interpreter), complete(argv))
        else {
            continue;
        };
        rules.push(Exec { path, interpreter, argv, until });
    }
    rules
}

/// Tells "not written" (`Ok(None)`) from "written and wrong" (`Err`).
fn complete<T>(part: Option<Option<T>>) -> Result<Option<T>, ()> {
    match part {
        None => Ok(None),
        Some(Some(value)) => Ok(Some(value)),
        Some(None) => Err(()),
    }
}

fn arguments(argv: &[Text], entry: Position, faults: &mut Faults) -> Option<Vec<ArgPattern>> {
    if argv.is_empty() {
        faults.add(
            entry,
            "`argv: []` matches no program: the first argument is its own name",
            "list the arguments from the name on, such as [cat, \"*\"], or remove `argv` for any",
        );
        return None;
    }
    let patterns: Vec<_> = argv
        .iter()
        .filter_map(|text| {
            let pattern = ArgPattern::parse(&text.value);
            faults.take(text.position, pattern.map_err(|error| fix("an argument", text, error)))
        })
        .collect();
    (patterns.len() == argv.len()).then_some(patterns)
}

pub(super) fn files(written: &schema::Files, faults: &mut Faults) -> Vec<File> {
    let mut rules = Vec::new();
    let lists = [
        (&written.read, AccessSet::READ, "read"),
        (&written.write, AccessSet::WRITE, "write"),
        (&written.execute, AccessSet::EXECUTE, "execute"),
    ];
    for (list, access, list_name) in lists {
        let mut once = Once::new();
        for At { value: grant, position } in list {
            let (path, expires) = match grant {
                Grant::Plain(path) => (&At { value: path.clone(), position: *position }, None),
                Grant::Detailed(detailed) => (&detailed.path, detailed.expires.as_ref()),
            };
            let until = faults.until(expires);
            let what = format!("`{}` under `{list_name}`", path.value);
            once.declare(path.value.clone(), &what, path.position, faults);
            if let Some(path) = pattern(path, faults) {
                rules.push(File { path, access, until });
            }
        }
    }
    rules
}

pub(super) fn protect(
    written: &[Text],
    exec: &[Exec],
    files: &[File],
    faults: &mut Faults,
) -> Vec<At<Pattern>> {
    let mut once = Once::new();
    let mut protected = Vec::new();
    for text in written {
        let Some(pattern) = pattern(text, faults) else {
            continue;
        };
        once.declare(text.value.clone(), &format!("`{}`", text.value), text.position, faults);
        if !pattern.value.is_literal() {
            faults.add(
                text.position,
                format!("`{}` would protect only what is there at the start", text.value),
                "name each file to protect; what must not be opened need not be declared at all",
            );
            continue;
        }
        let paths = exec.iter().map(|rule| &rule.path).chain(files.iter().map(|rule| &rule.path));
        if let Some(grant) = paths.into_iter().find(|path| path.value == pattern.value) {
            faults.add(
                text.position,
                format!(
                    "`{}` is protected here and granted in line {}",
                    text.value,
                    grant.position.line()
                ),
                "remove one of the two: a protected file is never opened",
            );
        }
        protected.push(pattern);
    }
    protected
}

fn pattern(text: &Text, faults: &mut Faults) -> Option<At<Pattern>> {
    let parsed = Pattern::parse(&text.value).map_err(|error| fix("a path", text, error));
    let pattern = faults.take(text.position, parsed.and_then(same_for_all))?;
    Some(text.with(pattern))
}

fn fix(what: &str, text: &Text, error: PatternError) -> Fix {
    Fix::new(format!("`{}` is not {what}", text.value), error.why.as_str())
}

/// Names that are another file for every process, and how the kernel reports what they led to.
const OWN: [(&str, &str); 6] = [
    ("/proc/self", "/proc/*"),
    ("/proc/thread-self", "/proc/*/task/*"),
    ("/dev/fd", ""),
    ("/dev/stdin", ""),
    ("/dev/stdout", ""),
    ("/dev/stderr", ""),
];

/// Whether a literal path is, or lies below, one that is another file for every process.
pub(in super::super) fn is_per_process(path: &str) -> bool {
    OWN.iter().any(|(own, _)| path.strip_prefix(own).is_some_and(is_segment_end))
}

/// Refuses what leads somewhere else for every process: the kernel reports where it led.
fn same_for_all(pattern: Pattern) -> Result<Pattern, Fix> {
    let prefix = pattern.literal_prefix();
    let below = |own: &str| prefix.strip_prefix(own).filter(|rest| is_segment_end(rest));
    let Some((own, real)) = OWN.into_iter().find(|(own, _)| below(own).is_some()) else {
        return Ok(pattern);
    };
    let rest = pattern.to_string().get(own.len()..).unwrap_or_default().to_owned();
    let hint = if real.is_empty() {
        "grant the file that is behind the descriptor".to_owned()
    } else {
        format!("write {real}{rest}, which covers the same file of every other process, too")
    };
    Err(Fix::new(format!("`{own}` is another file for every process"), hint))
}

fn is_segment_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}
