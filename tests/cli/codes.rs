//! The plugin's end becomes Picket's exit code.

use super::plugin::Plugin;

#[test]
fn the_plugins_own_code_is_passed_on() {
    for code in [0, 1, 7, 64, 120, 125, 255] {
        Plugin::new().run(&format!("exit {code}")).assert_honest(code);
    }
}

#[test]
fn a_signal_of_the_plugins_own_is_128_and_its_number() {
    for (signal, code) in [("KILL", 137), ("TERM", 143), ("ABRT", 134)] {
        Plugin::new().run(&format!("kill -{signal} $$")).assert_honest(code);
    }
}

#[test]
fn what_the_plugins_children_end_with_does_not_matter() {
    Plugin::new().run("sh -c 'exit 9'; sh -c 'kill -9 $$'; exit 3").assert_honest(3);
}

#[test]
fn the_last_report_says_the_code() {
    let ended = Plugin::new().run("exit 7");
    let last = ended.of("ended");
    assert_eq!(last.len(), 1, "{ended:?}");
    assert_eq!(last[0]["text"], "ended: no departure from its manifest; exit code 7");
}

#[test]
fn a_program_found_by_path_and_one_named_by_path_are_the_same() {
    for program in ["sleep", "/bin/sleep", "/usr/bin/sleep", "../../../../../bin/sleep"] {
        let plugin = Plugin::new();
        let mut command = plugin.exec();
        command.args(["--", program, "0"]);
        plugin.run_command(command).assert_honest(0);
    }
}
