//! The lines that a manifest lacks, as few as a reader takes in: from so many names on in one directory it is declared for
//! all names in it, where a directory may be declared as a whole, and never over a path that was left to a person.

use std::collections::BTreeMap;

use picket_engine::{
    Pattern,
    baseline::{Family, Meaning},
};

use super::{
    super::suggest::{lines, places},
    Comparison, Undeclared, meant,
};

/// As many as `manifest suggest` takes.
const MANY: usize = 4;

/// A line, and what is said beside it.
pub(super) type Line = (String, String);

/// The lines by list.
pub(super) fn lines(comparison: &Comparison) -> BTreeMap<&'static str, Vec<Line>> {
    let left: Vec<Pattern> =
        comparison.undeclared.iter().filter(|one| one.grants.is_err()).filter_map(path).collect();
    let mut lists: BTreeMap<&'static str, Vec<Line>> = BTreeMap::new();
    let mut files: BTreeMap<(&'static str, String), BTreeMap<String, u64>> = BTreeMap::new();
    for one in &comparison.undeclared {
        for grant in one.grants.iter().flatten() {
            let file = path(one).filter(|_| grant.list.starts_with("files."));
            match file.map(|path| path.to_string()) {
                Some(path) => {
                    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
                    let names = files.entry((grant.list, directory.to_owned())).or_default();
                    let runs = names.entry(path).or_default();
                    *runs = one.runs.max(*runs);
                }
                None => add(&mut lists, grant.list, grant.value.clone(), learned(one.runs)),
            }
        }
    }
    for ((list, directory), names) in files {
        let write = list == "files.write";
        let all = format!("{directory}/*");
        let is_avoided = |all: &Pattern| left.iter().any(|path| path.meets(all));
        let whole = MANY <= names.len()
            && places::may_be_whole(&directory, write)
            && Pattern::parse(&all).is_ok_and(|all| !is_avoided(&all));
        if whole {
            let runs = names.values().max().copied().unwrap_or_default();
            let example = names.keys().next().map(|path| lines::shown(path.as_bytes()));
            let remark = format!(
                "{} files, {}: {}",
                names.len(),
                learned(runs),
                example.unwrap_or_default()
            );
            add(&mut lists, list, lines::value(&all), remark);
            continue;
        }
        for (path, runs) in names {
            add(&mut lists, list, lines::value(&path), learned(runs));
        }
    }
    lists
}

fn add(
    lists: &mut BTreeMap<&'static str, Vec<Line>>,
    list: &'static str,
    value: String,
    remark: String,
) {
    let lines = lists.entry(list).or_default();
    if !lines.iter().any(|(known, _)| *known == value) {
        lines.push((value, remark));
    }
}

fn learned(runs: u64) -> String {
    match runs {
        0 => "accepted by a person".to_owned(),
        runs => format!("learned in {}", crate::words::count(runs, "run")),
    }
}

fn path(one: &Undeclared) -> Option<Pattern> {
    match (one.family, meant(one.family, &one.template)?) {
        (Family::Path, Meaning::File { path, .. }) => Pattern::parse(path).ok(),
        _ => None,
    }
}
