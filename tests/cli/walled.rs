//! `confinement: strict` and files: Landlock refuses what is surely undeclared, and Picket tells it.

use super::plugin::Plugin;
use super::run::Ended;

const TOLD: &str = "confinement: strict\nactions: { denied: alert, denied_repeatedly: alert }\n\
    files: { read: [DIRECTORY/readable], write: [\"DIRECTORY/data/**\"] }";

fn plugin() -> Plugin {
    let plugin = Plugin::new().may_run("path: /usr/bin/perl").declares(TOLD);
    plugin.write("readable", "declared");
    plugin.write("secret", "not declared");
    std::fs::create_dir(plugin.path("data")).unwrap();
    plugin
}

fn perl(plugin: &Plugin, script: &str) -> Ended {
    let mut command = plugin.exec();
    command.args(["--", "perl", "-e", &format!("$| = 1; {script}; print $! + 0; exit 5")]);
    plugin.run_command(command)
}

/// What was refused of files, as the capability and the last words of the deed.
fn denied(ended: &Ended) -> Vec<(String, String)> {
    let findings = ended.of("finding").into_iter();
    findings
        .filter(|finding| finding["reason"] == "denied_attempt")
        .map(|finding| {
            let text = |key: &str| finding[key].as_str().unwrap().to_owned();
            (text("capability"), text("deed"))
        })
        .collect()
}

#[track_caller]
fn check_refused(act: &str, capability: &str, call: &str, name: &str) {
    let plugin = plugin();
    let ended = perl(&plugin, &format!("$! = 0; {act}"));
    assert_eq!((ended.code, ended.output()), (5, "13"), "{act}: {ended:?}");
    let path = plugin.path(name);
    let deed = format!("was refused {call} on {}", path.display());
    assert_eq!(denied(&ended), [(capability.to_owned(), deed)], "{ended:?}");
}

#[test]
fn a_file_that_is_not_declared_is_not_read_and_the_attempt_told() {
    check_refused("open(F, '<', 'secret')", "files", "openat", "secret");
}

#[test]
fn a_file_that_is_not_declared_is_not_written_and_the_attempt_told() {
    check_refused("open(F, '>>', 'secret')", "files", "openat", "secret");
}

#[test]
fn a_file_that_is_not_declared_is_not_made_and_the_attempt_told() {
    check_refused("open(F, '>', 'made')", "files", "openat", "made");
}

#[test]
fn a_file_that_is_not_declared_is_not_removed_and_the_attempt_told() {
    check_refused("unlink('secret')", "files", "unlink", "secret");
}

#[test]
fn a_directory_that_is_not_declared_is_not_made_and_the_attempt_told() {
    check_refused("mkdir('made')", "files", "mkdir", "made");
}

#[test]
fn a_program_that_is_not_declared_is_not_run_and_the_attempt_told() {
    let plugin = plugin();
    let ended = perl(&plugin, "$! = 0; exec { '/usr/bin/id' } 'id'");
    assert_eq!((ended.code, ended.output()), (5, "13"), "{ended:?}");
    let told = denied(&ended);
    assert_eq!(told, [("exec".to_owned(), "was refused execve on /usr/bin/id".to_owned())]);
}

#[test]
fn what_is_declared_is_read_written_moved_and_removed_without_a_word() {
    let script = "open(F, '<', 'readable') or die; open(G, '>', 'data/a') or die; mkdir('data/d') or die; \
                  rename('data/a', 'data/d/b') or die; unlink('data/d/b') or die; rmdir('data/d') or die; \
                  open(H, '<', '/dev/null') or die; $! = 0";
    let ended = perl(&plugin(), script);
    assert_eq!((ended.code, ended.output()), (5, "0"), "{ended:?}");
    assert_eq!(ended.of("finding").len(), 0, "{ended:?}");
}

#[test]
fn a_file_that_is_not_there_is_no_attempt() {
    let ended = perl(&plugin(), "$! = 0; open(F, '<', 'missing')");
    assert_eq!((ended.code, ended.output()), (5, "2"), "{ended:?}");
    assert_eq!(ended.of("finding").len(), 0, "{ended:?}");
}

#[test]
fn refused_files_are_contained_when_repeated() {
    let plugin = Plugin::new().may_run("path: /usr/bin/perl").declares("confinement: strict");
    let mut command = plugin.exec();
    command.args(["--", "perl", "-e", "open(F, '<', '/etc/shadow') while 1"]);
    plugin.run_command(command).assert_contained("files", "denied_attempt");
}

#[test]
fn the_run_says_that_files_are_refused() {
    let ended = perl(&plugin(), "$! = 0");
    let said = ended.of("confinement")[0]["text"].as_str().unwrap();
    assert!(said.contains("Landlock"), "{said}");
}
