//! Programs and files.

use picket_engine::{AccessSet, Pattern};

use super::{
    super::{
        declared::{Declared, Exec, File},
        resolve,
    },
    Lints, covered, kind,
};
use crate::document::At;

/// Programs that run whatever their arguments say; versions may follow the name.
const INTERPRETERS: [&str; 22] = [
    "ash", "awk", "bash", "busybox", "csh", "dash", "deno", "env", "find", "gawk", "ksh", "lua",
    "mawk", "node", "perl", "php", "python", "ruby", "sh", "tclsh", "xargs", "zsh",
];
/// Interpreters that are there on most machines: what a wildcard is tried on.
const USUAL: [&str; 6] = [
    "/usr/bin/sh",
    "/bin/sh",
    "/usr/bin/bash",
    "/usr/bin/python3",
    "/usr/bin/perl",
    "/usr/bin/env",
];

const UNLESS_LINK: &str = "remove it, unless a symbolic link on its way leads elsewhere";

pub(super) fn lint(declared: &Declared, lints: &mut Lints) {
    for rule in &declared.files {
        always_true(&rule.path, "file", lints);
        protected_inside(declared, rule, lints);
        own_program(declared, rule, lints);
        if rule.access.contains(AccessSet::EXECUTE) {
            any_program(&rule.path, "under `execute` it runs with any arguments", lints);
        }
    }
    for rule in &declared.exec {
        always_true(&rule.path, "program", lints);
        if rule.interpreter.is_none() && any_arguments(rule) {
            any_program(&rule.path, "it may have any arguments", lints);
        }
    }
    repeated(declared, lints);
}

/// Whether every path below the root is meant.
fn everything(path: &Pattern) -> bool {
    Pattern::parse("/*/**").is_ok_and(|all| path.covers(&all))
}

fn always_true(path: &At<Pattern>, what: &str, lints: &mut Lints) {
    if everything(&path.value) {
        lints.add(
            kind::ALWAYS_TRUE,
            path.position,
            format!("`{}` means every {what} there is: it declares nothing", path.value),
            "name the directories it needs",
        );
    }
}

/// A wildcard does not open a protected file; who wrote it may think so.
fn protected_inside(declared: &Declared, rule: &File, lints: &mut Lints) {
    let path = &rule.path.value;
    if path.is_literal() || everything(path) {
        return;
    }
    let everywhere = resolve::protected_everywhere().filter_map(|path| Pattern::parse(&path).ok());
    let declared = declared.protect.iter().map(|protected| protected.value.clone());
    if let Some(inside) = declared.chain(everywhere).find(|inside| path.covers(inside)) {
        lints.add(
            kind::PROTECTED_INSIDE,
            rule.path.position,
            format!("`{path}` matches {inside}, which stays protected"),
            "name what it needs; a protected file is opened only if it is named without wildcards",
        );
    }
}

/// What it may write it can replace, and then run as declared.
fn own_program(declared: &Declared, rule: &File, lints: &mut Lints) {
    if !rule.access.contains(AccessSet::WRITE) {
        return;
    }
    let write = &rule.path.value;
    let paths = declared.exec.iter().flat_map(|exec| [Some(&exec.path), exec.interpreter.as_ref()]);
    let executable = |file: &&File| file.access.contains(AccessSet::EXECUTE);
    let files = declared.files.iter().filter(executable).map(|file| &file.path);
    let meets =
        |program: &&At<Pattern>| write.covers(&program.value) || program.value.covers(write);
    if let Some(program) = paths.flatten().chain(files).find(meets) {
        lints.add(
            kind::OWN_PROGRAM,
            rule.path.position,
            format!(
                "`{write}` may be written, and `{}` (line {}) may be run: it can replace its own program",
                program.value,
                program.position.line()
            ),
            "keep what it writes apart from what it runs",
        );
    }
}

/// Whether the arguments say nothing: none declared, or stars after the name.
fn any_arguments(rule: &Exec) -> bool {
    let star =
        |argument: &picket_engine::ArgPattern| argument.to_string().bytes().all(|c| c == b'*');
    rule.argv.as_ref().is_none_or(|argv| {
        let mut arguments = argv.iter().skip(1);
        1 < argv.len()
            && arguments.all(|argument| star(argument) && !argument.to_string().is_empty())
    })
}

fn any_program(path: &At<Pattern>, why: &str, lints: &mut Lints) {
    let pattern = &path.value;
    let interpreter = if pattern.is_literal() {
        let literal = pattern.literal_prefix();
        let name = literal.rsplit('/').next().unwrap_or_default();
        let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        INTERPRETERS.contains(&bare).then_some(literal)
    } else if everything(pattern) {
        None
    } else {
        USUAL.into_iter().find(|usual| pattern.matches(usual.as_bytes())).map(str::to_owned)
    };
    if let Some(interpreter) = interpreter {
        lints.add(
            kind::ANY_PROGRAM,
            path.position,
            format!("`{interpreter}` runs whatever it is told, and {why}"),
            "declare the script, with `interpreter`, or the arguments, with `argv`",
        );
    }
}

fn repeated(declared: &Declared, lints: &mut Lints) {
    for (narrow, wide) in covered::pairs(&declared.files, covered::file) {
        // A protected file is opened only by the rule that names it.
        let names =
            |path: String| Pattern::parse(&path).is_ok_and(|one| one.covers(&narrow.path.value));
        if narrow.path.value.is_literal() && resolve::protected_everywhere().any(names) {
            continue;
        }
        covers(&narrow.path, &wide.path, lints);
    }
    for (narrow, wide) in covered::pairs(&declared.exec, covered::exec) {
        covers(&narrow.path, &wide.path, lints);
    }
    for program in &declared.exec {
        if let Some(file) = declared.files.iter().find(|file| covered::executable(file, program)) {
            lints.add(
                kind::COVERED,
                program.path.position,
                format!(
                    "`{}` may be run with any arguments by `{}` under `execute` (line {})",
                    program.path.value,
                    file.path.value,
                    file.path.position.line()
                ),
                "remove one of the two; `argv` limits nothing here",
            );
        }
    }
}

fn covers(narrow: &At<Pattern>, wide: &At<Pattern>, lints: &mut Lints) {
    lints.add(
        kind::COVERED,
        narrow.position,
        format!(
            "`{}` grants nothing that `{}` (line {}) does not",
            narrow.value,
            wide.value,
            wide.position.line()
        ),
        UNLESS_LINK,
    );
}
