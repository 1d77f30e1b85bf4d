//! `picket baseline learn`.

use std::path::{Path, PathBuf};

use picket_engine::baseline::Run;
use serde_json::json;

use super::{Refusal, Which, exit, title, whose, with, words};
use crate::{
    baseline::{Deployment, Identity, Lesson, lesson},
    document::Digest,
    manifest::{self, Manifest},
};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A trace of the plugin (`picket exec --record`): one run. May be given more than once.
    #[arg(long, value_name = "TRACE", required = true, num_args = 1..)]
    from: Vec<PathBuf>,
    /// The plugin's manifest: its name and digest belong to the baseline.
    #[arg(short, long, value_name = "FILE")]
    manifest: PathBuf,
    /// The build: its file, or sha256: and the digits of it. Not needed where the manifest names the digest.
    #[arg(long, value_name = "FILE|DIGEST")]
    artifact: Option<String>,
    /// Where the plugin runs, in a name of yours: other load or other data is another deployment.
    #[arg(long, value_name = "NAME", default_value = "default")]
    deployment: String,
    /// What the plugin was called when it was recorded, if not as in its manifest.
    #[arg(long, value_name = "NAME")]
    recorded_as: Option<String>,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let manifest = manifest::load(&arguments.manifest).map_err(Refusal::configuration)?;
    let deployment = Deployment::parse(&arguments.deployment).map_err(Refusal::configuration)?;
    let identity = Identity {
        plugin: manifest.plugin_name().to_owned(),
        artifact: artifact(&manifest, arguments.artifact.as_deref())?,
        manifest: manifest.digest(),
        deployment,
    };
    let name = arguments.recorded_as.as_deref().unwrap_or(&identity.plugin);
    let mut lessons = Vec::new();
    for path in &arguments.from {
        lessons.push((path, read(path, name)?));
    }
    let mut store = arguments.which.make()?;
    let mut n_new = 0_u64;
    for (path, lesson) in &lessons {
        let (before, after) = store.change(&identity, |baseline| {
            lesson.runs.iter().for_each(|(id, run)| baseline.learn(*id, run));
        })?;
        for (id, run) in &lesson.runs {
            let news = match (before.run(*id), after.run(*id)) {
                (_, None) => News::NoRoom,
                (before, after) if before == after => News::Known,
                _ => News::Learned,
            };
            n_new += u64::from(news == News::Learned);
            say(&arguments.which, &identity, path, run, news)?;
        }
    }
    if arguments.which.is_human() {
        let runs = words::count(n_new, "new run");
        super::print(&format!(
            "{}: {runs}; next: picket baseline status {}",
            title(&identity),
            identity.short()
        ))?;
    }
    Ok(exit::SUCCESS)
}

fn artifact(manifest: &Manifest, given: Option<&str>) -> Result<Digest, Refusal> {
    let given = given.map(digest).transpose()?;
    match (given, manifest.plugin_digest()) {
        (Some(given), Some(pinned)) if given != pinned => Err(Refusal::Configuration(format!(
            "--artifact has the digest {given}, and the manifest is for {pinned}: another build has another baseline, \
             under a manifest that names it"
        ))),
        (Some(digest), _) | (None, Some(digest)) => Ok(digest),
        (None, None) => Err(Refusal::Configuration(
            "nothing says which build this is: name its file by --artifact, or write the digest into the manifest"
                .to_owned(),
        )),
    }
}

/// The build that `--artifact` means.
pub(super) fn digest(given: &str) -> Result<Digest, Refusal> {
    if given.starts_with("sha256:") {
        return Digest::parse(given)
            .map_err(|fix| Refusal::Configuration(format!("{}; {}", fix.message, fix.hint)));
    }
    Digest::of_file(Path::new(given)).map_err(|error| {
        Refusal::Configuration(format!("--artifact {given}: cannot be read: {error}"))
    })
}

fn read(path: &Path, name: &str) -> Result<Lesson, Refusal> {
    let lesson = lesson(path).map_err(Refusal::configuration)?;
    is_of(path, &lesson.plugin, name)?;
    Ok(lesson)
}

/// Refuses a recording of another plugin.
pub(super) fn is_of(path: &Path, recorded: &str, name: &str) -> Result<(), Refusal> {
    if recorded == name {
        return Ok(());
    }
    Err(Refusal::Configuration(format!(
        "{}: was recorded of `{recorded}`, not of `{name}`; if that is the same plugin, say --recorded-as {recorded}",
        path.display(),
    )))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum News {
    Learned,
    Known,
    NoRoom,
}

fn say(
    which: &Which,
    identity: &Identity,
    path: &Path,
    run: &Run,
    news: News,
) -> Result<(), Refusal> {
    let faults = faults(run);
    let (word, text) = match news {
        News::Known => ("known", "known already".to_owned()),
        News::NoRoom => {
            ("no_room", "not kept: the baseline is a sample of more runs than it holds".to_owned())
        }
        News::Learned if run.is_usable() => ("learned", learned(run)),
        News::Learned => ("unusable", format!("of no use: {}", faults.join(", "))),
    };
    let path = words::text(path.as_os_str().as_encoded_bytes());
    let object = json!({
        "event": word, "trace": path, "facts": run.facts(), "kinds": run.counts().count(),
        "faults": run.faults().keys().map(|fault| fault.as_str()).collect::<Vec<_>>(),
        "full": run.full().iter().map(|family| family.as_str()).collect::<Vec<_>>(),
    });
    which.say(&with(object, whose(identity)), &format!("{path}: {text}"))
}

fn learned(run: &Run) -> String {
    let kinds = u64::try_from(run.counts().count()).unwrap_or(u64::MAX);
    let full: Vec<&str> = run.full().iter().map(|family| family.as_str()).collect();
    let full = if full.is_empty() { String::new() } else { format!("; full: {}", full.join(", ")) };
    format!(
        "learned: {} of {}{full}",
        words::count(kinds, "kind"),
        words::count(run.facts(), "fact")
    )
}

/// Why a run teaches nothing, in words.
pub(super) fn faults(run: &Run) -> Vec<String> {
    use picket_engine::baseline::Fault;
    let say = |(fault, times): (&Fault, &u64)| match fault {
        Fault::Lost => format!("{} of it were lost", words::count(*times, "event")),
        Fault::Gaps => format!("its recording has gaps, {}", words::count(*times, "input")),
        Fault::Tampered => "the kernel side was tampered with".to_owned(),
        Fault::Contained => "it was contained".to_owned(),
    };
    run.faults().iter().map(say).collect()
}
