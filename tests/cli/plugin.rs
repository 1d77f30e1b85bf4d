//! A plugin to run: a directory of its own, a manifest, and the command that starts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;

use picket_tests::{picket, require_root, unique};
use tempfile::TempDir;

use super::run::{Ended, Run};

/// What dash, perl and the coreutils call. Whether too much is declared is other tests' business.
const CALLS: &str = "[\"@basic-io\", \"@file-system\", \"@io-event\", \"@network-io\", \
                     \"@process\", \"@signal\", \"@timer\", pipe2]";

/// What a script ends with that has done its deed: it must still be there when the freeze comes.
pub(crate) const LINGER: &str = "while :; do :; done";

/// A plugin that may run `sh`, `cat` and `sleep`, and what its test declares besides.
pub(crate) struct Plugin {
    directory: Rc<TempDir>,
    name: String,
    version: String,
    exec: String,
    processes: u32,
    containment: &'static str,
    rules: String,
}

impl Plugin {
    pub(crate) fn new() -> Self {
        require_root("Picket loads kernel programs");
        let directory = Rc::new(tempfile::tempdir().unwrap());
        let plugin = Self {
            directory,
            name: unique("cli"),
            version: "1.0.0".to_owned(),
            exec: String::new(),
            processes: 16,
            containment: "{ hold: 1s, on_expiry: kill }",
            rules: String::new(),
        };
        plugin.may_run("path: /bin/sh").may_run("path: /bin/cat").may_run("path: /bin/sleep")
    }

    /// One more entry under `exec`.
    pub(crate) fn may_run(mut self, entry: &str) -> Self {
        self.exec.push_str(&format!("  - {{ {} }}\n", self.filled(entry)));
        self
    }

    /// More of the manifest. `DIRECTORY` means the plugin's own.
    pub(crate) fn declares(mut self, rules: &str) -> Self {
        self.rules.push_str(&self.filled(rules));
        self.rules.push('\n');
        self
    }

    /// Declared to be of this version.
    pub(crate) fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// As many processes at once, itself included.
    pub(crate) fn may_be(mut self, processes: u32) -> Self {
        self.processes = processes;
        self
    }

    /// Frozen until a person decides, not for one second.
    pub(crate) fn held(mut self) -> Self {
        self.containment = "{ hold: 1s, on_expiry: hold }";
        self
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Keeps the directory for as long as something runs in it.
    pub(crate) fn share_directory(&self) -> Rc<TempDir> {
        Rc::clone(&self.directory)
    }

    /// Puts a file into its directory.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn filled(&self, text: &str) -> String {
        text.replace("DIRECTORY", self.directory.path().to_str().unwrap())
    }

    /// The whole manifest.
    pub(crate) fn manifest(&self) -> String {
        let Self { name, version, exec, processes, containment, rules, .. } = self;
        format!(
            "version: 1\nplugin: {{ name: {name}, version: {version} }}\nexec:\n{exec}\
             syscalls: {{ allow: {CALLS} }}\nprocesses: {{ max: {processes} }}\n\
             containment: {containment}\n{rules}"
        )
    }

    /// `picket exec` with its manifest, still without a command. Reports go to a file, as JSON.
    pub(crate) fn exec(&self) -> Command {
        let manifest = self.write("manifest.yaml", self.manifest());
        let mut command = picket();
        command.arg("exec").arg("--manifest").arg(manifest);
        command.args(["--output", "json", "--report-to"]).arg(self.path("reports"));
        command.current_dir(self.directory());
        command
    }

    /// Starts a line of shell in a sandbox.
    pub(crate) fn start(&self, script: &str) -> Run {
        let mut command = self.exec();
        command.args(["--", "sh", "-c", &self.filled(script)]);
        Run::start(self, command)
    }

    /// Runs a line of shell in a sandbox to its end.
    pub(crate) fn run(&self, script: &str) -> Ended {
        self.start(script).end()
    }

    /// The same for any command.
    pub(crate) fn run_command(&self, command: Command) -> Ended {
        Run::start(self, command).end()
    }
}
