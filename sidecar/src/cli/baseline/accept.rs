//! `picket baseline accept`.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use picket_engine::baseline::{
    Acceptance, Baseline, Family, MOST_ACCEPTED, TEMPLATE_BYTES, template,
};
use serde_json::json;

use super::{Refusal, Which, exit, print, show::named, title, whose, with};
use crate::{document::hints, manifest::syscalls};

/// The longest reason.
const LONGEST: usize = 1000;
/// What the kernel says of a session that nobody logged in to.
const NOBODY: u32 = u32::MAX;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The baseline: the beginning of its key, as `list` shows it.
    key: String,
    /// FAMILY:DEED as `show` writes them, such as `exec:/usr/bin/git`, `syscall:openat`, `path:read /etc/hosts`,
    /// `destination:connect 10.1.2.0/24 tcp 443`.
    #[arg(required = true, value_name = "DEED")]
    deeds: Vec<String>,
    /// Why they are harmless. Kept with the time and with who says so.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    which: Which,
}

pub(super) fn run(arguments: &Arguments) -> Result<exit::Exit, Refusal> {
    let reason = reason(&arguments.reason, "why this is harmless")?;
    let deeds: Vec<(Family, String)> =
        arguments.deeds.iter().map(|text| deed(text)).collect::<Result<_, _>>()?;
    let by = who();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut store = arguments.which.open()?;
    let identity = store.find(&arguments.key)?.identity;
    let (before, after) = store.change(&identity, |baseline| {
        for deed @ (family, template) in &deeds {
            if !is_accepted(baseline, deed) {
                let (by, reason) = (by.clone(), reason.to_owned());
                let template = template.clone();
                baseline.accept(Acceptance { at, family: *family, template, by, reason });
            }
        }
    })?;
    for deed @ (family, template) in &deeds {
        if !is_accepted(&after, deed) {
            return Err(Refusal::Other(format!(
                "{MOST_ACCEPTED} deeds are accepted already, and more are not kept: learn anew"
            )));
        }
        let is_new = !is_accepted(&before, deed);
        let learned = after.kinds(*family).contains_key(template.as_str());
        let silent = after.kinds(*family).is_empty();
        let note = match (is_new, learned, silent) {
            (false, ..) => "was accepted already",
            (_, true, _) => "accepted; it was learned, too",
            (_, _, true) => "accepted; its family has no vote, so nothing changes for now",
            _ => {
                "accepted: it surprises nobody from now on, and nothing else is surprising that was not"
            }
        };
        let what = format!("{family}:{}", named(*family, template));
        let object = json!({
            "event": if is_new { "accepted" } else { "known" }, "deed": what, "by": by, "reason": reason,
            "learned": learned, "votes": !silent,
        });
        arguments.which.say(&with(object, whose(&identity)), &format!("{what}: {note}"))?;
    }
    if arguments.which.is_human() {
        print(&format!(
            "{}: by {by}; no score rises by it, so a certificate keeps; a calibration begins after it",
            title(&identity)
        ))?;
    }
    Ok(exit::SUCCESS)
}

/// A reason that says something.
pub(super) fn reason<'a>(text: &'a str, what: &str) -> Result<&'a str, Refusal> {
    let reason = text.trim();
    if reason.is_empty() || LONGEST < reason.len() {
        return Err(Refusal::Configuration(format!(
            "--reason: write {what}, in up to {LONGEST} bytes"
        )));
    }
    Ok(reason)
}

fn is_accepted(baseline: &Baseline, (family, template): &(Family, String)) -> bool {
    baseline.accepted().any(|one| one.family == *family && one.template == *template)
}

fn deed(text: &str) -> Result<(Family, String), Refusal> {
    let shown = text.chars().take(200).collect::<String>();
    let (name, rest) = text.split_once(':').ok_or_else(|| {
        Refusal::Configuration(format!(
            "`{shown}` is no deed: write FAMILY:DEED, such as exec:/usr/bin/git"
        ))
    })?;
    let family = Family::named(name).ok_or_else(|| {
        let known = hints::closest(name, Family::ALL.iter().map(|family| family.as_str()));
        Refusal::Configuration(format!("`{shown}`: there is no such family; {known}"))
    })?;
    let number = (family == Family::Syscall).then(|| syscalls::number(rest)).flatten();
    let rest = number.map_or_else(|| rest.to_owned(), |number| number.to_string());
    let template = template(family, &rest)
        .map_err(|example| Refusal::Configuration(format!("`{shown}`: write {name}:{example}")))?;
    if TEMPLATE_BYTES < template.len() {
        return Err(Refusal::Configuration(format!(
            "`{shown}…` is longer than {TEMPLATE_BYTES} bytes"
        )));
    }
    Ok((family, template))
}

/// Who says so, as the operating system knows it: the user, and who logged in before becoming that user.
pub(super) fn who() -> String {
    let uid = rustix::process::getuid().as_raw();
    let login = fs::read_to_string("/proc/self/loginuid");
    let login = login.ok().and_then(|text| text.trim().parse().ok()).filter(|id| *id != NOBODY);
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = |uid: u32| {
        let found = users.lines().find_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(uid)).then(|| name.to_owned())
        });
        found.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"))
    };
    match login {
        Some(login) if login != uid => format!("{}, logged in as {}", name(uid), name(login)),
        _ => name(uid),
    }
}
