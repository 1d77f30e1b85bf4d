//! Files: from the paths that were opened to the few patterns that a reader takes in.
//!
//! In this order: what the group `runtime` and the programs' own entries cover is left out; varying names get their
//! wildcards; from [`MANY`] names on in one directory it becomes `dir/*`; from [`BUSHY`] lines on below a directory it
//! becomes `dir/**`, which also means the directory itself. The last two only where `places` lets a directory be
//! granted as a whole, and never over a path that was left to a person. Reading and writing are put together apart, so
//! that a write grant means what was written.

use std::collections::{BTreeMap, BTreeSet};

use picket_engine::{AccessSet, ObservedPath, Pattern, baseline::varying};

use super::{
    super::{resolve::followed, runtime},
    lines::{self, List},
    places,
    programs::{Programs, is_writable_as},
    seen::{Evidence, File, Seen},
};

/// From so many names on in one directory it is granted for all names in it.
const MANY: usize = 4;
/// From so many lines on below a directory it is granted with all below it.
const BUSHY: usize = 5;

/// The lists under `files`, and the paths that are not granted in all ways they were opened.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) read: List,
    pub(super) write: List,
    pub(super) left: BTreeSet<ObservedPath>,
}

pub(super) fn files(seen: &Seen, programs: &Programs) -> Files {
    let runtime = Runtime::new();
    let mut found = Files::default();
    let (mut read, mut written) = (Tree::default(), Tree::default());
    let mut avoid = Vec::new();
    for (path, file) in &seen.files {
        let ways = ways(seen, programs, &runtime, path, file);
        if ways.is_empty() && !file.access.is_empty() {
            continue;
        }
        let writes = ways.contains(AccessSet::WRITE);
        let refuse = |list: &mut List, why: &str, evidence: &Evidence| {
            list.leave(written_path(path), why, evidence);
        };
        let text = match pattern_text(path) {
            Ok(text) => text,
            Err(why) => {
                let list = if writes { &mut found.write } else { &mut found.read };
                refuse(list, why, &file.evidence);
                found.left.insert(path.clone());
                continue;
            }
        };
        for (way, tree, list) in [
            (AccessSet::READ, &mut read, &mut found.read),
            (AccessSet::WRITE, &mut written, &mut found.write),
        ] {
            // What was opened in neither way still has to be covered by something.
            let neither = ways.is_empty() && way == AccessSet::READ;
            if !neither && !ways.contains(way) {
                continue;
            }
            let write = way == AccessSet::WRITE;
            let first = if write { &file.written } else { &file.read };
            let evidence = first.as_ref().unwrap_or(&file.evidence);
            let own = |pid| seen.own.contains(&pid);
            let danger = places::danger(text, write, own);
            if let Some(why) = danger.or(file.protected.then_some("a protected file")) {
                refuse(list, &format!("dangerous, {why}"), evidence);
                found.left.insert(path.clone());
                avoid.push(text.as_bytes());
                continue;
            }
            let segments = varying::segments(text, &seen.own);
            let wide = is_too_wide(&segments, write);
            // What the plugin made up itself, where everybody does, is not there another time under that name.
            if wide && !(file.written.is_some() && places::is_scratch(text)) {
                let why = "a made-up name that only a pattern for all names there covers";
                refuse(list, why, evidence);
                found.left.insert(path.clone());
                continue;
            }
            let bunch = Bunch { n: 1, first: evidence.clone(), example: text.into(), wide };
            tree.insert(&segments, bunch);
        }
    }
    found.read.granted = list(&read, false, &avoid);
    found.write.granted = list(&written, true, &avoid);
    found
}

/// The ways in which a file has to be declared here.
fn ways(
    seen: &Seen,
    programs: &Programs,
    runtime: &Runtime,
    path: &ObservedPath,
    file: &File,
) -> AccessSet {
    let mut ways = file.access;
    if ways.contains(AccessSet::EXECUTE) {
        ways = ways.without(AccessSet::EXECUTE);
        if programs.run(seen, path) {
            // The kernel opens for reading, too, what it runs.
            ways = ways.without(AccessSet::READ);
        } else {
            // Opened to be run, and then not run as a program of its own: reading it is all that this takes.
            ways = ways | AccessSet::READ;
        }
    }
    if programs.read(seen, path) {
        ways = ways.without(AccessSet::READ);
    }
    ways.without(runtime.ways(path))
}

/// Whether a name that varies as a whole would open a place to its last file.
pub(in super::super) fn is_too_wide(segments: &[String], write: bool) -> bool {
    let Some((last, above)) = segments.split_last() else {
        return false;
    };
    last == "*" && !places::may_be_whole(&format!("/{}", above.join("/")), write)
}

struct Runtime(Vec<(Pattern, AccessSet)>);

impl Runtime {
    fn new() -> Self {
        // As the group will be resolved here, where the suggestion is tried before it is written.
        let resolved = |(written, access): &(Pattern, AccessSet)| {
            (followed(written).unwrap_or_else(|| written.clone()), *access)
        };
        Self(runtime::patterns().map(resolved).collect())
    }

    fn ways(&self, path: &ObservedPath) -> AccessSet {
        let ObservedPath::Resolved(path) = path else {
            return AccessSet::NONE;
        };
        let covering = self.0.iter().filter(|(pattern, _)| pattern.matches(path));
        covering.fold(AccessSet::NONE, |ways, (_, access)| ways | *access)
    }
}

/// The path as text that a pattern can be made of.
fn pattern_text(path: &ObservedPath) -> Result<&str, &'static str> {
    let ObservedPath::Resolved(bytes) = path else {
        return Err("its path is not known; cannot be granted");
    };
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err("not UTF-8; cannot be written in a manifest");
    };
    if is_writable_as(&varying::escaped(text)) {
        return Ok(text);
    }
    Err("cannot be written in a manifest")
}

fn written_path(path: &ObservedPath) -> String {
    match path {
        ObservedPath::Unresolved(why) => format!("\"?\" ({})", why.as_str()),
        ObservedPath::Resolved(bytes) => {
            let text = varying::escaped(&String::from_utf8_lossy(bytes));
            if text.len() <= Pattern::MAX_BYTES { lines::value(&text) } else { lines::shown(bytes) }
        }
    }
}

/// Files that one line stands for.
#[derive(Clone, Debug)]
struct Bunch {
    n: usize,
    first: Evidence,
    example: String,
    /// It stands for all names of a place that is not the plugin's alone.
    wide: bool,
}

impl Bunch {
    fn join(&mut self, other: &Self) {
        self.n += other.n;
        self.wide |= other.wide;
        if other.first < self.first {
            self.first = other.first.clone();
            self.example.clone_from(&other.example);
        }
    }

    fn of<'a>(bunches: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut bunches = bunches.into_iter();
        let mut all = bunches.next()?.clone();
        bunches.for_each(|bunch| all.join(bunch));
        Some(all)
    }

    fn remark(&self) -> String {
        let first = lines::first(&self.first);
        let example = lines::shown(self.example.as_bytes());
        match (self.wide, self.n) {
            (false, 1) => first,
            (false, n) => format!("{n} files, {first}: {example}"),
            (true, n) => format!(
                "WIDE, for made-up names; a TMPDIR of its own narrows it; {n} seen, {first}: {example}"
            ),
        }
    }
}

#[derive(Debug, Default)]
struct Tree {
    below: BTreeMap<String, Tree>,
    opened: Option<Bunch>,
}

impl Tree {
    fn insert(&mut self, segments: &[String], bunch: Bunch) {
        match segments {
            [] => match &mut self.opened {
                Some(known) => known.join(&bunch),
                None => self.opened = Some(bunch),
            },
            [first, rest @ ..] => {
                self.below.entry(first.clone()).or_default().insert(rest, bunch);
            }
        }
    }

    /// The patterns for this directory and all below it.
    fn patterns(&self, path: &str, write: bool, avoid: &[&[u8]]) -> Vec<(String, Bunch)> {
        let whole = |pattern: &str| {
            places::may_be_whole(path, write)
                && Pattern::parse(pattern)
                    .is_ok_and(|pattern| !avoid.iter().any(|path| pattern.matches(path)))
        };
        let mut files = Vec::new();
        let mut deeper = Vec::new();
        for (name, tree) in &self.below {
            let found = tree.patterns(&format!("{path}/{name}"), write, avoid);
            if tree.below.is_empty() { files.extend(found) } else { deeper.extend(found) }
        }
        let all_names = format!("{path}/*");
        if MANY <= files.len()
            && whole(&all_names)
            && let Some(bunch) = Bunch::of(files.iter().map(|(_, bunch)| bunch))
        {
            files = vec![(all_names, bunch)];
        }
        let everything = format!("{path}/**");
        let mut found = files;
        found.extend(deeper);
        let bushy = BUSHY <= found.len() && whole(&everything);
        if let Some(own) = &self.opened {
            let own_path = if path.is_empty() { "/" } else { path };
            found.push((own_path.to_owned(), own.clone()));
        }
        match Bunch::of(found.iter().map(|(_, bunch)| bunch)) {
            Some(bunch) if bushy => vec![(everything, bunch)],
            _ => found,
        }
    }
}

fn list(tree: &Tree, write: bool, avoid: &[&[u8]]) -> Vec<lines::Line> {
    let mut patterns: BTreeMap<String, Bunch> = BTreeMap::new();
    for (pattern, bunch) in tree.patterns("", write, avoid) {
        match patterns.get_mut(&pattern) {
            Some(known) => known.join(&bunch),
            None => drop(patterns.insert(pattern, bunch)),
        }
    }
    let all = patterns.clone();
    let outer = |inner: &String| all.keys().find(|outer| *outer != inner && covers(outer, inner));
    patterns.retain(|pattern, _| outer(pattern).is_none());
    for (pattern, bunch) in all.iter().filter(|(pattern, _)| outer(pattern).is_some()) {
        if let Some((_, known)) = patterns.iter_mut().find(|(outer, _)| covers(outer, pattern)) {
            known.join(bunch);
        }
    }
    let line = |(pattern, bunch): (String, Bunch)| lines::Line {
        value: lines::value(&pattern),
        remark: bunch.remark(),
    };
    patterns.into_iter().map(line).collect()
}

/// Whether every path that `inner` means is one that `outer` means. May miss it, never claims it wrongly: a wildcard
/// of `inner` is tried as something that no literal can be, and that only a wildcard can take.
fn covers(outer: &str, inner: &str) -> bool {
    let Ok(outer) = Pattern::parse(outer) else {
        return false;
    };
    ["", "\0", "\0/\0"].iter().all(|several| {
        let mut path = String::new();
        for segment in inner.split('/').filter(|segment| !segment.is_empty()) {
            match segment {
                "**" if several.is_empty() => {}
                "**" => path.extend(["/", several]),
                segment => path.extend(["/", &plain(segment)]),
            }
        }
        outer.matches(if path.is_empty() { b"/" } else { path.as_bytes() })
    })
}

/// A segment without escapes, its stars as NUL.
fn plain(segment: &str) -> String {
    let mut plain = String::new();
    let mut characters = segment.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => plain.push('\0'),
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}
