//! `picket baseline suggest`.

pub(super) mod diff;

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use picket_engine::baseline::{Check, Condition, cadence, gate};
use picket_engine::learned::Cadence;

use super::{Output, Refusal, Which, exchange, exit, title, words};
use crate::{
    baseline::{
        Entry,
        suggest::{
            BEGINNING, Source, Suggestion,
            manifest::patched,
            network_policy::{self, Selector},
            seccomp,
        },
    },
    manifest::{self, Manifest},
};

/// So much of a file says whether it is an earlier suggestion.
const HEAD: u64 = 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// What is written.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Form,
    /// The manifest that the baseline was learned under: the one that is changed. For a profile, calls of the danger set
    /// that it declares are let through.
    #[arg(short, long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// network-policy: labels of the pods that it is for. Without it, app.kubernetes.io/name and the plugin's name.
    #[arg(long, value_name = "KEY=VALUE")]
    selector: Option<String>,
    /// Writes here instead of standard output. A file that is no earlier suggestion is not overwritten.
    #[arg(short = 'o', long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// The plugin runs all the time: whether enough is known is asked of days of watching, not of runs.
    #[arg(long)]
    continuous: bool,
    /// The store of baselines.
    #[arg(long, value_name = "FILE", default_value = "/var/lib/picket/baselines.db")]
    store: PathBuf,
}

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A seccomp profile of the OCI runtime specification: Docker, Podman, Kubernetes (`localhostProfile`).
    Seccomp,
    /// A Kubernetes NetworkPolicy.
    NetworkPolicy,
    /// The manifest that was learned under, with what it lacks and without what nothing needed.
    Manifest,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let selector = selector(arguments)?;
    let which = Which { store: arguments.store.clone(), output: Output::Human };
    let entry = which.open()?.find(&arguments.key)?;
    let manifest = arguments.manifest.as_deref().map(|path| declared(path, &entry)).transpose()?;
    let source = Source { entry: &entry, missing: missing(&entry, arguments.continuous) };
    let about = |error: &dyn std::fmt::Display| {
        Refusal::Other(format!("{}: {error}", title(&entry.identity)))
    };
    let suggestion = match arguments.form {
        Form::Seccomp => seccomp::profile(&source, manifest.as_ref().map(Manifest::calls))
            .map_err(|error| about(&error)),
        Form::NetworkPolicy => {
            let names = manifest.as_ref().map(|manifest| manifest.names().collect());
            network_policy::policy(&source, selector.as_ref(), &names.unwrap_or_default())
                .map_err(|error| about(&error))
        }
        Form::Manifest => {
            let manifest = manifest.as_ref().ok_or_else(|| {
                Refusal::Configuration(
                    "--as manifest: name the manifest that the baseline was learned under (-m)"
                        .to_owned(),
                )
            })?;
            patched(&source, manifest).map_err(diff::refusal)
        }
    }?;
    write(arguments.to.as_deref(), suggestion.text.as_bytes())?;
    tell(&source, &suggestion);
    Ok(exit::SUCCESS)
}

fn selector(arguments: &Arguments) -> Result<Option<Selector>, Refusal> {
    let Some(text) = &arguments.selector else { return Ok(None) };
    if arguments.form != Form::NetworkPolicy {
        let why = "--selector: only a network-policy chooses pods: leave it out, or write --as network-policy";
        return Err(Refusal::Configuration(why.to_owned()));
    }
    let selector = Selector::parse(text);
    selector.map(Some).map_err(|why| Refusal::Configuration(format!("--selector: {why}")))
}

/// The manifest that the baseline was learned under, and no other one.
fn declared(path: &Path, entry: &Entry) -> Result<Manifest, Refusal> {
    let manifest = manifest::load(path).map_err(Refusal::configuration)?;
    let (has, needs) = (manifest.digest(), entry.identity.manifest);
    if has == needs {
        return Ok(manifest);
    }
    Err(Refusal::Configuration(format!(
        "{}: has the digest {has}, and {} was learned under {needs}: name that manifest, or learn under this one",
        path.display(),
        title(&entry.identity)
    )))
}

fn missing(entry: &Entry, continuous: bool) -> Vec<Condition> {
    let cadence = if continuous { Cadence::Continuous } else { cadence(&entry.baseline) };
    let checks = gate(&entry.baseline, cadence).into_iter().filter(|check| !Check::is_met(check));
    checks.map(|check| check.condition).collect()
}

fn write(to: Option<&Path>, text: &[u8]) -> Result<(), Refusal> {
    let Some(path) = to else {
        return match io::stdout().write_all(text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Refusal::Closed),
            done => done.map_err(|error| Refusal::Other(format!("standard output: {error}"))),
        };
    };
    let refused = |error| Refusal::Other(format!("{}: {error}", path.display()));
    match is_suggestion(path) {
        Ok(false) => Err(refused(io::Error::other(
            "is there already and no suggestion, so it is not overwritten: name another file",
        ))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(error)),
        _ => exchange::replace(path, text).map_err(refused),
    }
}

/// Whether a file begins as what this command writes: with a comment, or with the first comment of a profile.
fn is_suggestion(path: &Path) -> io::Result<bool> {
    let mut head = Vec::new();
    fs::File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    let head = String::from_utf8_lossy(&head);
    let profile = head.starts_with('{')
        && head.split_once("\"comment\": \"").is_some_and(|(_, rest)| rest.starts_with(BEGINNING));
    Ok(profile || head.strip_prefix("# ").is_some_and(|rest| rest.starts_with(BEGINNING)))
}

/// What a person has to know who looks at the file last.
fn tell(source: &Source<'_>, suggestion: &Suggestion) {
    if let Some(warning) = source.warning() {
        words::error(&warning);
    }
    for left in &suggestion.left {
        words::error(&format!("left out: {}: {}", left.what, left.why));
    }
}
