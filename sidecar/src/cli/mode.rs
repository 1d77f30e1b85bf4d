//! `picket mode`: how far the daemon may go with one sandbox, from now on.

use clap::{Args, ValueEnum};
use hyper::Method;

use super::{
    Output, exit,
    reach::{self, ReachError},
    words,
};
use crate::{
    api::{ModeAnswer, SandboxAnswer},
    document::hints,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The sandbox, as `picket status` shows it (such as 0.2), or its plugin if no other sandbox runs that.
    #[arg(value_name = "SANDBOX|PLUGIN")]
    target: String,
    /// How far the daemon may go.
    #[arg(value_enum)]
    mode: Mode,
    #[command(flatten)]
    daemon: reach::Daemon,
    /// How the answer is written.
    #[arg(long, value_enum, default_value = "human")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Mode {
    /// Findings only.
    Observe,
    /// Findings, and what would have been done about them.
    Shadow,
    /// Findings and containment.
    Enforce,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Shadow => "shadow",
            Self::Enforce => "enforce",
        }
    }
}

pub(super) fn run(arguments: Arguments) -> exit::Exit {
    reach::block_on(async {
        let client = arguments.daemon.client();
        let sandboxes: Vec<SandboxAnswer> = client.get("/v1/sandboxes").await?;
        let sandbox = find(&sandboxes, &arguments.target).map_err(ReachError::Other)?;
        let path = format!("/v1/sandboxes/{}/mode", sandbox.sandbox);
        let body = format!(r#"{{"mode":"{}"}}"#, arguments.mode.as_str());
        let answer: ModeAnswer = client.ask(Method::PUT, &path, body).await?;
        reach::print(arguments.output, &answer, sentence)
    })
}

/// The one sandbox that is meant.
fn find<'a>(sandboxes: &'a [SandboxAnswer], target: &str) -> Result<&'a SandboxAnswer, String> {
    if let Some(sandbox) = sandboxes.iter().find(|one| one.sandbox == target) {
        return Ok(sandbox);
    }
    let of_plugin: Vec<&SandboxAnswer> =
        sandboxes.iter().filter(|one| one.plugin == target).collect();
    match *of_plugin {
        [sandbox] => Ok(sandbox),
        [] if sandboxes.is_empty() => Err("no sandbox is watched at the moment".to_owned()),
        [] => {
            let known = sandboxes.iter().flat_map(|one| [&*one.plugin, &*one.sandbox]);
            let known: std::collections::BTreeSet<&str> = known.collect();
            let hint = hints::closest(target, known);
            Err(format!("no sandbox and no plugin `{target}` is watched; {hint}"))
        }
        _ => {
            let ids: Vec<&str> = of_plugin.iter().map(|one| &*one.sandbox).collect();
            let list = ids.join(", ");
            Err(format!("`{target}` runs in several sandboxes; name one of {list}"))
        }
    }
}

fn sentence(answer: &ModeAnswer) -> String {
    let ModeAnswer { was, now } = answer;
    let (plugin, sandbox, mode) = (words::text(now.plugin.as_bytes()), &now.sandbox, &now.mode);
    if was == mode {
        return format!("{plugin} ({sandbox}) is in mode {mode}, as before");
    }
    format!("{plugin} ({sandbox}) is in mode {mode} now; it was {was}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn sandbox(sandbox: &str, plugin: &str) -> SandboxAnswer {
        let text = str::to_owned;
        SandboxAnswer {
            sandbox: text(sandbox),
            plugin: text(plugin),
            mode: text("shadow"),
            state: text("running"),
            findings: 0,
            cgroup: text("/x"),
            manifest: text("/m.yaml"),
            resources: BTreeMap::new(),
            rates: BTreeMap::new(),
            other_root: false,
            kubernetes: None,
        }
    }

    #[test]
    fn a_sandbox_is_found_by_its_identity_or_by_a_name_that_is_its_alone() {
        let watched = [sandbox("0.1", "weather"), sandbox("1.0", "mail"), sandbox("2.0", "mail")];
        let found = |target| find(&watched, target).map(|one| &*one.sandbox);
        assert_eq!(found("weather"), Ok("0.1"));
        assert_eq!(found("2.0"), Ok("2.0"));
        assert_eq!(
            found("mail").unwrap_err(),
            "`mail` runs in several sandboxes; name one of 1.0, 2.0"
        );
        assert_eq!(
            found("wether").unwrap_err(),
            "no sandbox and no plugin `wether` is watched; did you mean `weather`?"
        );
        assert_eq!(find(&[], "mail").unwrap_err(), "no sandbox is watched at the moment");
    }

    #[test]
    fn a_change_says_what_was() {
        let now = sandbox("0.1", "weather");
        let changed = ModeAnswer { was: "enforce".to_owned(), now: now.clone() };
        insta::assert_snapshot!(sentence(&changed), @"weather (0.1) is in mode shadow now; it was enforce");
        let same = ModeAnswer { was: "shadow".to_owned(), now };
        insta::assert_snapshot!(sentence(&same), @"weather (0.1) is in mode shadow, as before");
    }
}
