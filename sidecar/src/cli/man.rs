//! `picket man`: the manual pages, made from the help texts and from the table of exit codes in the documentation.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Command, CommandFactory};
use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::{exit, words};

/// Places that matter to whoever runs Picket.
const FILES: [(&str, &str); 7] = [
    (
        "/etc/picket/picket.yaml",
        "The daemon's configuration, by convention; `picket run -c` names it.",
    ),
    (
        "/run/picket/picket.sock",
        "Where a daemon is asked, unless its configuration says otherwise.",
    ),
    ("/var/lib/picket/baselines.db", "The store of baselines, unless `--store` names another."),
    ("<cgroup2 mount>/picket/<plugin>.<random>", "A sandbox. It is gone when the sandbox ends."),
    ("/sys/kernel/btf/vmlinux", "The kernel's type information, from which offsets are read."),
    (
        "/sys/kernel/security/lsm",
        "The active security modules; bpf among them allows the tier lsm.",
    ),
    (
        "/sys/kernel/tracing",
        "tracefs; where it is not mounted, mounted for one thread of Picket's.",
    ),
];

/// Pages of others that help to understand ours.
const ELSEWHERE: [&str; 3] = ["bpf(2)", "cgroups(7)", "capabilities(7)"];

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Writes the pages of all subcommands into this directory, which is made if need be. Without it picket.1 goes to
    /// standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> exit::Exit {
    let outcome = match &arguments.out {
        None => page(&command(), &[])
            .and_then(|page| io::stdout().write_all(&page))
            .map_err(|error| format!("writing the page: {error}")),
        Some(directory) => write_all(directory),
    };
    match outcome {
        Ok(()) => exit::SUCCESS,
        Err(error) => {
            words::error(&error);
            exit::FAILURE
        }
    }
}

fn write_all(directory: &Path) -> Result<(), String> {
    fs::create_dir_all(directory)
        .map_err(|error| format!("making {}: {error}", directory.display()))?;
    for (name, page) in pages().map_err(|error| format!("making the pages: {error}"))? {
        let path = directory.join(format!("{name}.1"));
        fs::write(&path, page).map_err(|error| format!("writing {}: {error}", path.display()))?;
    }
    Ok(())
}

/// The command line as it is, without the subcommand `help`, which needs no page.
fn command() -> Command {
    let mut command = super::Arguments::command().disable_help_subcommand(true);
    command.build();
    command
}

/// Every page by its name without section: `picket`, `picket-exec`, ….
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    collect(&command(), &[], &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, path: &[&str], pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    pages.push((name(path), page(command, path)?));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        collect(below, &[path, &[below.get_name()]].concat(), pages)?;
    }
    Ok(())
}

fn name(path: &[&str]) -> String {
    [&["picket"], path].concat().join("-")
}

fn page(command: &Command, path: &[&str]) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(name(path))
        .source(concat!("picket ", env!("CARGO_PKG_VERSION")))
        .manual("Picket");
    let mut out = Vec::new();
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.get_subcommands().any(|below| !below.is_hide_set()) {
        man.render_subcommands_section(&mut out)?;
    }
    let codes = exit::documented().filter(|code| path.is_empty() || code.is_of(&path.join(" ")));
    list(&mut out, "EXIT STATUS", codes.map(|code| (code.number, code.sentence(path.is_empty()))))?;
    list(&mut out, "FILES", FILES.map(|(file, what)| (file, what.to_owned())))?;
    see_also(&mut out, path)?;
    Ok(out)
}

fn list<'a>(
    out: &mut Vec<u8>,
    heading: &str,
    entries: impl IntoIterator<Item = (&'a str, String)>,
) -> io::Result<()> {
    let mut roff = Roff::default();
    roff.control("SH", [heading]);
    for (term, text) in entries {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(text)]);
    }
    roff.to_writer(out)
}

/// The page above, and those of others.
fn see_also(out: &mut Vec<u8>, path: &[&str]) -> io::Result<()> {
    let above: Vec<String> = (0..path.len())
        .filter_map(|depth| path.get(..depth))
        .map(|path| name(path) + "(1)")
        .collect();
    let all: Vec<&str> = above.iter().map(String::as_str).chain(ELSEWHERE).collect();
    let mut roff = Roff::default();
    roff.control("SH", ["SEE ALSO"]);
    roff.text([roman(all.join(", "))]);
    roff.to_writer(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Vec<(String, String)> {
        let pages = pages().unwrap().into_iter();
        pages.map(|(name, page)| (name, String::from_utf8(page).unwrap())).collect()
    }

    #[test]
    fn every_subcommand_has_a_page_and_hidden_roles_have_none() {
        let names: Vec<String> = texts().into_iter().map(|(name, _)| name).collect();
        for expected in ["picket", "picket-exec", "picket-doctor", "picket-manifest-explain"] {
            assert!(names.iter().any(|name| name == expected), "no {expected} in {names:?}");
        }
        let n_commands = super::super::Arguments::command().get_subcommands().count();
        let n_top = names.iter().filter(|name| name.matches('-').count() == 1).count();
        assert_eq!(n_top, n_commands, "{names:?}");
        assert!(
            !names.iter().any(|name| name.contains("__") || name.ends_with("help")),
            "{names:?}"
        );
    }

    #[test]
    fn every_page_has_its_sections_in_order() {
        for (name, text) in texts() {
            let sections: Vec<&str> =
                text.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
            let places: Vec<Option<usize>> = [
                "NAME",
                "SYNOPSIS",
                "DESCRIPTION",
                "OPTIONS",
                "\"EXIT STATUS\"",
                "FILES",
                "\"SEE ALSO\"",
            ]
            .iter()
            .map(|wanted| sections.iter().position(|found| found == wanted))
            .collect();
            assert!(
                places.iter().all(Option::is_some) && places.is_sorted(),
                "{name}: {sections:?}"
            );
            assert!(text.contains(&format!(".TH {name} 1 ")), "{name}: {text}");
            assert!(
                text.contains(&format!("\n{} \\- ", name.replace('-', "\\-"))),
                "{name}: {text}"
            );
        }
    }

    #[test]
    fn a_page_tells_the_codes_of_its_own_subcommand_and_the_first_page_all() {
        let texts = texts();
        let of = |wanted: &str| &texts.iter().find(|(name, _)| name == wanted).unwrap().1;
        let has = |page: &str, code: &str| page.contains(&format!("\n.TP\n\\fB{code}\\fR\n"));
        assert!(has(of("picket-exec"), "120") && !has(of("picket-exec"), "2"));
        assert!(has(of("picket-doctor"), "2") && !has(of("picket-doctor"), "120"));
        for code in exit::documented() {
            assert!(has(of("picket"), code.number), "{}", code.number);
        }
    }
}
