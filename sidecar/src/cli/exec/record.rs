//! `picket exec --record`: a trace of the run, and the manifest that stands in when there is none yet.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    super::{follow::Stage, narrate::Narrator},
    Arguments,
};
use crate::{
    clock,
    document::DocumentError,
    manifest::{self, Manifest},
    trace::{Clock, Header, QUEUE, Recorder},
};

/// As a manifest has it.
const LONGEST_NAME: usize = 63;

/// The declared manifest, or one that declares nothing and only observes.
pub(super) fn manifest(arguments: &Arguments) -> Result<Manifest, DocumentError> {
    match &arguments.manifest {
        Some(path) => manifest::load(path),
        None => nothing_declared(arguments.command.first().map(Path::new)),
    }
}

/// Nothing is refused in the kernel and nothing contained under this: a program nobody has declared yet is to show
/// what it does.
fn nothing_declared(program: Option<&Path>) -> Result<Manifest, DocumentError> {
    let name = plugin_name(program);
    let text = format!(
        "version: 1\nplugin: {{ name: {name}, version: undeclared }}\nmode: observe\n\
         processes: {{ max: 4194304 }}\nactions: {{ exec: alert, files: alert, network: alert, listen: alert, \
         syscalls: alert, danger: alert, processes: alert, telemetry: alert }}\n"
    );
    Manifest::parse("nothing declared", text.as_bytes())
}

/// The program's name as far as it can be a plugin's.
fn plugin_name(program: Option<&Path>) -> String {
    let name = program.and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let fit =
        |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(fit).take(LONGEST_NAME).collect();
    match name.trim_matches(['-', '_']) {
        "" => "plugin".to_owned(),
        name => name.to_owned(),
    }
}

/// A trace being made.
pub(super) struct Recording {
    path: PathBuf,
    recorder: Recorder,
}

impl Recording {
    pub(super) fn start(path: &Path, manifest: &Manifest, stage: &Stage) -> Result<Self, String> {
        let clock = Clock::new(clock::now(), SystemTime::now());
        let plugins = vec![manifest.plugin_name().to_owned()];
        let header = Header::here(stage.session.tier().tier.as_str(), plugins, clock);
        let recorder = Recorder::start(path, &header, stage.session.watch().tap(QUEUE))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { path: path.to_owned(), recorder })
    }

    /// Says where the trace is and what to do with it; false when it is not all there.
    pub(super) fn finish(self, narrator: &mut Narrator) -> bool {
        let path = self.path.display();
        match self.recorder.finish() {
            Ok(end) if end.missed == 0 => {
                let text = format!(
                    "recorded {} inputs in {path}, which holds words of the plugin; \
                     next: picket manifest suggest --from {path}",
                    end.inputs
                );
                narrator.remark("recorded", &text);
                true
            }
            Ok(end) => {
                let text = format!(
                    "the trace {path} has gaps: {} inputs were recorded, {} came faster than they could be written",
                    end.inputs, end.missed
                );
                narrator.remark("not_recorded", &text);
                false
            }
            Err(error) => {
                let text = format!(
                    "the trace {path} is incomplete: {error}; what is there can be used with --incomplete"
                );
                narrator.remark("not_recorded", &text);
                false
            }
        }
    }

    /// Nothing ran, so there is nothing to keep.
    pub(super) fn discard(self) {
        if let Err(error) = self.recorder.discard() {
            super::words::error(&format!("{}: cannot be removed: {error}", self.path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use picket_engine::Mode;

    use super::*;

    fn name(program: &str) -> String {
        plugin_name(Some(Path::new(program)))
    }

    #[test]
    fn any_program_gets_a_name_that_a_manifest_may_have() {
        assert_eq!(name("/usr/bin/python3.11"), "python3-11");
        assert_eq!(name("./[weird] "), "weird");
        assert_eq!(name(".."), "plugin");
        assert_eq!(name("\u{e4}"), "plugin");
        for program in ["A", "-", "_x_", &"x-".repeat(60), "a\nb: {"] {
            let manifest = nothing_declared(Some(Path::new(program))).unwrap();
            assert_eq!(manifest.mode(), Mode::Observe, "{program}");
        }
    }
}
