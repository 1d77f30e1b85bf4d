//! Documents keep their word: what they link to exists, and so do the tests they name.
//!
//! A promise in `docs/SPECIFICATION.md` names its proof as a link whose text is the test and whose
//! target is the file: ``[`the_name_of_the_test`](../tests/kernel/main.rs)``.

use super::Report;
use super::tree::Tree;

const SPECIFICATION: &str = "docs/SPECIFICATION.md";

pub(super) fn links(tree: &Tree, report: &mut Report) {
    if tree.file(SPECIFICATION).is_none() {
        report.broken(SPECIFICATION, 1, "is gone; nothing may be promised elsewhere");
    }
    let documents = tree.files.iter().filter(|file| file.name.ends_with(".md"));
    for document in documents {
        for (number, line) in document.lines() {
            for (text, target) in links_in(line) {
                if target.contains("://")
                    || target.starts_with('#')
                    || target.starts_with("mailto:")
                {
                    continue;
                }
                let path = target.split('#').next().unwrap_or(target);
                let name = resolve(&document.name, path);
                if !tree.has(&name) {
                    report.broken(
                        &document.name,
                        number,
                        &format!("links to `{path}`, which is not there"),
                    );
                } else if let Some(test) = named_test(text)
                    && !tree.file(&name).is_some_and(|file| defines(file.text(), test))
                {
                    report.broken(
                        &document.name,
                        number,
                        &format!("`{name}` has no test `{test}`"),
                    );
                }
            }
        }
    }
}

/// Text and target of each `[text](target)`.
fn links_in(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once("](")?;
        let (target, tail) = after.split_once(')')?;
        rest = tail;
        Some((before.rsplit_once('[').map_or(before, |(_, text)| text), target))
    })
}

/// The name of a test, if a link's text is one: a whole sentence in one word, in code marks.
fn named_test(text: &str) -> Option<&str> {
    let name = text.strip_prefix('`')?.strip_suffix('`')?;
    let is_sentence = name.contains('_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_sentence.then_some(name)
}

fn defines(source: &str, test: &str) -> bool {
    source.lines().any(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let after = line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(test));
        after.is_some_and(|rest| rest.starts_with('('))
    })
}

/// Where a relative link from `document` leads, from the top of the repository.
fn resolve(document: &str, path: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}
