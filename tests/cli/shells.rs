//! Completions complete, and manual pages can be read.

use std::fs;
use std::process::{Command, Output};

use picket_tests::picket;

fn printed(arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = picket().args(arguments).output().unwrap();
    assert_eq!((status.code(), &*String::from_utf8_lossy(&stderr)), (Some(0), ""), "{arguments:?}");
    String::from_utf8(stdout).unwrap()
}

/// What bash offers after these words, the last of them half written.
fn offered(words: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("picket.bash");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let query = "source \"$0\" && COMP_WORDS=(\"$@\") && COMP_CWORD=$(($# - 1)) && \
                 _picket picket \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\" && \
                 printf '%s\\n' \"${COMPREPLY[@]}\"";
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", query]).arg(&script).args(words);
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_subcommands_options_and_values() {
    assert_eq!(offered(&["picket", "exe"]), ["exec"]);
    assert_eq!(offered(&["picket", "manifest", "exp"]), ["explain"]);
    assert_eq!(offered(&["picket", "doctor", "--no"]), ["--no-load"]);
    assert_eq!(offered(&["picket", "doctor", "--output", "j"]), ["json"]);
    let all = offered(&["picket", ""]);
    for expected in ["exec", "demo", "manifest", "doctor", "completions", "man", "help"] {
        assert!(all.iter().any(|word| word == expected), "no {expected} in {all:?}");
    }
    assert!(!all.iter().any(|word| word.contains("__")), "{all:?}");
}

#[test]
fn every_shell_gets_a_script_that_names_the_subcommands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("exec") && script.contains("doctor"), "{shell}");
        assert!(!script.contains("__launch") && !script.contains("__canary"), "{shell}");
    }
}

#[test]
fn the_scripts_of_installed_shells_have_no_syntax_error() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = directory.path().join(shell);
        fs::write(&script, printed(&["completions", shell])).unwrap();
        match Command::new(shell).arg("-n").arg(&script).output() {
            Ok(Output { status, stderr, .. }) => {
                assert!(status.success(), "{shell}: {}", String::from_utf8_lossy(&stderr));
            }
            // Every Debian has bash; the others are a matter of taste.
            Err(error) => assert_ne!(shell, "bash", "{error}"),
        }
    }
}

#[test]
fn without_a_directory_the_first_page_is_printed() {
    let page = printed(&["man"]);
    assert!(page.contains(".TH picket 1 "), "{page}");
    assert!(page.contains("picket\\-exec(1)"), "{page}");
}

#[test]
fn every_subcommand_in_the_help_text_has_a_page_that_formats_without_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    printed(&["man", "--out", pages.to_str().unwrap()]);
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    // Descriptions that take a second line are indented further.
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let names: Vec<&str> = names.filter(|name| !["", "help"].contains(name)).collect();
    assert!(6 <= names.len(), "{names:?}");
    for name in names {
        assert!(pages.join(format!("picket-{name}.1")).exists(), "{name}");
    }
    for entry in fs::read_dir(&pages).unwrap() {
        assert_formats(&entry.unwrap().path());
    }
}

/// By the formatter that is there: mandoc, else groff, else by structure.
fn assert_formats(page: &std::path::Path) {
    let attempts: [(&str, &[&str]); 2] =
        [("mandoc", &["-T", "lint", "-W", "error"]), ("groff", &["-man", "-ww", "-z"])];
    for (formatter, arguments) in attempts {
        if let Ok(Output { status, stdout, stderr }) =
            Command::new(formatter).args(arguments).arg(page).output()
        {
            let said =
                format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
            assert!(status.success() && said.is_empty(), "{formatter} {}: {said}", page.display());
            return;
        }
    }
    let text = fs::read_to_string(page).unwrap();
    assert!(text.contains("\n.TH ") && text.contains("\n.SH NAME\n"), "{}", page.display());
}

#[test]
fn a_directory_that_cannot_be_made_is_1_and_named() {
    let Output { status, stderr, .. } =
        picket().args(["man", "--out", "/proc/no/such"]).output().unwrap();
    assert_eq!(status.code(), Some(1));
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains("making /proc/no/such: "), "{stderr}");
}
