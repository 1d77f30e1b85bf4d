//! `sidecar/techniques.yaml`: the claims as Rust, and as `docs/techniques.md` with a link to every test.

use std::{collections::BTreeSet, fs, io, path::Path};

use serde::Deserialize;

use crate::{Made, markdown::cell};

const PATH: &str = "sidecar/techniques.yaml";

const ROWS: &str = "sidecar/src/doctor/techniques/rows.rs";

const PAGE: &str = "docs/techniques.md";

/// Where tests of techniques are.
const TESTED: [&str; 2] = ["tests", "sidecar"];

const ROWS_HEADER: &str = "\
//! Every technique. Made of `sidecar/techniques.yaml` by `cargo xtask docs`: edit that, not this.

use super::{Claim, Sight, Technique};

/// All of them, by number.
pub static TECHNIQUES: &[Technique] = &[
";

const PAGE_HEADER: &str = "\
# Techniques

Ways to get past a sentry that are known from the kernel's sources, from published bypasses and from our own
experiments, and what Picket sees of each. Made of `sidecar/techniques.yaml` by `cargo xtask docs`; a row without a test
is refused. The tests run on Linux 6.18 (`trace` tier) and, those under `tests/kernel` and `tests/gate`, on Debian's 6.1
and 6.12 (`lsm` tier). `picket doctor` says the same of the tier it finds.

| sees | what decides |
|---|---|
| `object` | the kernel's own object: the file, address, program or task |
| `prevented` | it cannot be done in a sandbox that Picket starts |
| `call` | that the call was made, by its number and arguments; not upon what |
| `nothing` | it goes unseen; why, and what closes it |
";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    name: String,
    techniques: Vec<Technique>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Technique {
    id: String,
    what: String,
    both: Option<Claim>,
    lsm: Option<Claim>,
    trace: Option<Claim>,
}

impl Technique {
    /// Whether there is one claim for both tiers, or one for each.
    fn is_whole(&self) -> bool {
        let each = [&self.lsm, &self.trace].map(Option::is_some);
        each == [self.both.is_none(); 2]
    }

    /// The claims of the tiers `lsm` and `trace`, those that are there.
    fn claims(&self) -> impl Iterator<Item = &Claim> {
        [&self.lsm, &self.trace].into_iter().filter_map(|own| own.as_ref().or(self.both.as_ref()))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    sees: Sight,
    how: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Sight {
    Object,
    Prevented,
    Call,
    Nothing,
}

/// A test, and its file from the top of the repository on.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    name: String,
    file: String,
}

/// Both files.
pub(crate) fn made(top: &Path) -> Result<Vec<Made>, String> {
    let place = top.join(PATH);
    let text =
        fs::read_to_string(&place).map_err(|error| format!("{}: {error}", place.display()))?;
    let mut tests = BTreeSet::new();
    for directory in TESTED {
        find_tests(top, Path::new(directory), &mut tests)
            .map_err(|error| format!("{directory}: {error}"))?;
    }
    let document = parse(&text, &tests)?;
    Ok(vec![rows(&document), page(&document, &tests)])
}

fn parse(text: &str, tests: &BTreeSet<Test>) -> Result<Document, String> {
    let document: Document =
        serde_saphyr::from_str(text).map_err(|error| match error.location() {
            Some(at) => format!("{PATH}:{}:{}: {error}", at.line(), at.column()),
            None => format!("{PATH}: {error}"),
        })?;
    let mut faults = Vec::new();
    let mut complain = |name: &str, why: &str| faults.push(format!("{PATH}: `{name}` {why}"));
    if document.version != 1 {
        complain("version", "is not 1");
    }
    let mut known = BTreeSet::new();
    for Technique { id, what, .. } in document.groups.iter().flat_map(|group| &group.techniques) {
        if !known.insert(id) {
            complain(id, "is there twice");
        }
        if what.trim().is_empty() {
            complain(id, "does not say what is done");
        }
        if tests_of(id, tests).next().is_none() {
            let prefix = id.to_lowercase();
            complain(id, &format!("has no test: name one {prefix}_and_what_must_be_true"));
        }
    }
    for technique in document.groups.iter().flat_map(|group| &group.techniques) {
        if !technique.is_whole() {
            complain(&technique.id, "needs `both`, or `lsm` and `trace`");
        }
        if technique.claims().any(|claim| claim.how.trim().is_empty()) {
            complain(&technique.id, "does not say how");
        }
    }
    if faults.is_empty() { Ok(document) } else { Err(faults.join("\n")) }
}

/// Every function in the Rust files below a directory whose name begins as a technique's number does.
fn find_tests(top: &Path, directory: &Path, tests: &mut BTreeSet<Test>) -> io::Result<()> {
    for entry in fs::read_dir(top.join(directory))? {
        let entry = entry?;
        let place = directory.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            find_tests(top, &place, tests)?;
        } else if place.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(entry.path())?;
            let file = place.to_string_lossy().into_owned();
            let names = text.lines().filter_map(name_of_test);
            tests.extend(names.map(|name| Test { name: name.to_owned(), file: file.clone() }));
        }
    }
    Ok(())
}

/// The name in `fn a1_…(`.
fn name_of_test(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (name, _) = line.strip_prefix("fn ")?.split_once('(')?;
    let (number, _) = name.split_once('_')?;
    let digits = number.strip_prefix(|letter: char| letter.is_ascii_lowercase())?;
    (!digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())).then_some(name)
}

fn tests_of<'a>(id: &str, tests: &'a BTreeSet<Test>) -> impl Iterator<Item = &'a Test> + use<'a> {
    let prefix = format!("{}_", id.to_lowercase());
    tests.iter().filter(move |test| test.name.starts_with(&prefix))
}

fn rows(document: &Document) -> Made {
    let mut text = ROWS_HEADER.to_owned();
    for technique in document.groups.iter().flat_map(|group| &group.techniques) {
        let Technique { id, what, .. } = technique;
        text.push_str(&format!("    Technique {{\n        id: {id:?},\n        what: {what:?},\n"));
        for (tier, Claim { sees, how }) in ["lsm", "trace"].iter().zip(technique.claims()) {
            text.push_str(&format!(
                "        {tier}: Claim {{ sees: Sight::{sees:?}, how: {how:?} }},\n"
            ));
        }
        text.push_str("    },\n");
    }
    text.push_str("];\n");
    Made { path: ROWS.into(), text }
}

fn page(document: &Document, tests: &BTreeSet<Test>) -> Made {
    let mut text = PAGE_HEADER.to_owned();
    for Group { name, techniques } in &document.groups {
        text.push_str(&format!(
            "\n## {name}\n\n| | technique | `lsm` | `trace` | tests |\n|---|---|---|---|---|\n"
        ));
        for technique in techniques {
            let claims: Vec<String> = technique.claims().map(shown).collect();
            let proofs: Vec<String> = tests_of(&technique.id, tests)
                .map(|Test { name, file }| format!("[`{name}`](../{file})"))
                .collect();
            text.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                technique.id,
                cell(&technique.what),
                claims.join(" | "),
                proofs.join(", ")
            ));
        }
    }
    Made { path: PAGE.into(), text }
}

fn shown(claim: &Claim) -> String {
    let sees = format!("{:?}", claim.sees).to_lowercase();
    format!("**{sees}**: {}", cell(&claim.how))
}

#[cfg(test)]
mod tests;
