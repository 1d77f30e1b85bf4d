//! Rules that are suggested from a baseline, given to those who enforce them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use picket_tests::picket;
use serde_json::{Value, json};

use super::super::plugin::Plugin;
use super::Place;
use super::oci::{Container, User};

/// Forks, waits, pipes, reads and writes.
const WORK: &str = "cat /etc/hostname; cat /etc/hostname | cat >/dev/null";

impl Place {
    /// What is suggested of a baseline, and what is said besides.
    #[track_caller]
    fn suggest(&self, key: &str, words: &[&str]) -> (String, String) {
        let output = self.run(&[&["suggest", key, "--store", "s.db"], words].concat());
        let text = |bytes| String::from_utf8(bytes).unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        (text(output.stdout), text(output.stderr))
    }

    /// A profile of what this line of shell calls.
    #[track_caller]
    fn profile(&mut self, script: &str) -> Value {
        let trace = self.record(script);
        let (_, key) = self.learn(&trace, "s.db");
        serde_json::from_str(&self.suggest(&key, &["--as", "seccomp"]).0).unwrap()
    }
}

#[test]
fn a_suggested_seccomp_profile_fits_the_runtime_specifications_schema() {
    let profile = Place::new().profile(WORK);
    let container = |profile: &Value| Container::new(":", User::Root).under(profile);
    assert_eq!(container(&profile).complaints(), "");
    for (place, wrong) in [
        ("/defaultAction", json!("SCMP_ACT_EPERM")),
        ("/defaultErrnoRet", json!("EPERM")),
        ("/architectures/0", json!("x86_64")),
        ("/syscalls/0/names", json!([])),
        ("/syscalls/1/action", json!("allow")),
    ] {
        let mut faulty = profile.clone();
        *faulty.pointer_mut(place).unwrap() = wrong;
        assert_ne!(container(&faulty).complaints(), "", "{place}");
    }
}

#[test]
fn under_a_suggested_seccomp_profile_the_same_work_runs_in_a_container_and_another_call_is_refused()
{
    let profile = Place::new().profile(WORK);
    let other = format!("{WORK}; mkdir /tmp/made && echo made");
    for user in [User::Root, User::Nobody] {
        let free = Container::new(&other, user).run();
        assert_eq!(free.status.code(), Some(0), "without a profile: {free:?}");
        let same = Container::new(WORK, user).under(&profile).run();
        assert_eq!(same.status.code(), Some(0), "{same:?}");
        assert_eq!(same.stdout, fs::read("/etc/hostname").unwrap());
        let refused = Container::new(&other, user).under(&profile).run();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(told.contains("'/tmp/made': Operation not permitted"), "{told}");
    }
}

#[test]
fn a_32_bit_call_in_a_container_with_a_suggested_seccomp_profile_ends_who_makes_it() {
    let mut place = Place::new();
    let profile = place.profile("/bin/sh -c :");
    // 39 is mkdir in the table of 32-bit code, and getpid, which is let through, in that of 64-bit code.
    let source = "int main(void) { long made; __asm__ volatile(\"int $0x80\" : \"=a\"(made) \
                  : \"a\"(39), \"b\"(\"/tmp/made\"), \"c\"(0755) : \"memory\"); return made != 0; }";
    let source = place.plugin.write("foreign.c", source);
    let program = place.plugin.path("foreign");
    // Below 4 GiB, where 32-bit code finds its words.
    let mut compiler = Command::new("gcc");
    let built = compiler.args(["-static", "-no-pie", "-o"]).arg(&program).arg(source).status();
    assert!(built.unwrap().success(), "this test needs gcc and libc6-dev: install them");
    let container = || Container::new("/foreign", User::Root).with_file(&program, "foreign");
    assert_eq!(container().run().status.code(), Some(0));
    let ended = container().under(&profile).run();
    assert_eq!(ended.status.code(), Some(128 + 31), "no SIGSYS: {ended:?}");
}

#[test]
fn a_suggestion_of_a_young_baseline_is_written_and_says_that_it_is_young() {
    let mut place = Place::new();
    let trace = place.record(":");
    let (_, key) = place.learn(&trace, "s.db");
    let (text, told) = place.suggest(&key, &["--as", "seccomp"]);
    for text in [text, told] {
        assert!(text.contains("NOT KNOWN WELL ENOUGH YET (days, runs, starts"), "{text}");
    }
}

#[test]
fn a_suggestion_takes_the_place_of_an_earlier_one_and_of_nothing_else() {
    let mut place = Place::new();
    let trace = place.record(":");
    let (_, key) = place.learn(&trace, "s.db");
    for form in ["seccomp", "network-policy", "manifest"] {
        let words = ["--as", form, "-m", "manifest.yaml", "-o", "suggested"];
        place.suggest(&key, &words);
        let first = fs::read(place.plugin.path("suggested")).unwrap();
        let mode = fs::metadata(place.plugin.path("suggested")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{form}");
        assert_eq!(place.suggest(&key, &words).0, "");
        assert_eq!(fs::read(place.plugin.path("suggested")).unwrap(), first);
        place.plugin.write("mine", "{ \"mine\": true }");
        let words =
            ["suggest", &key, "--store", "s.db", "--as", form, "-m", "manifest.yaml", "-o", "mine"];
        place.check_refused(&words, 1, "mine: is there already and no suggestion");
        assert_eq!(fs::read(place.plugin.path("mine")).unwrap(), b"{ \"mine\": true }");
    }
}

#[test]
fn a_policy_is_suggested_of_what_was_reached_and_says_what_it_cannot() {
    let perl = "perl -MIO::Socket::INET -e 'IO::Socket::INET->new(PeerAddr => \"127.0.0.1:9\", Timeout => 1); \
                IO::Socket::INET->new(Listen => 1, LocalAddr => \"0.0.0.0:PORT\")'";
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A port that is not given out by the kernel to others.
    let port = free % 10_000 + 20_000;
    let mut place = Place::new();
    let trace = place.record(&perl.replace("PORT", &port.to_string()));
    let (_, key) = place.learn(&trace, "s.db");
    let (text, told) = place.suggest(&key, &["--as", "network-policy", "--selector", "app=web"]);
    let policy: Value = serde_saphyr::from_str(&text).unwrap();
    let spec = &policy["spec"];
    assert_eq!((&policy["kind"], &spec["egress"]), (&json!("NetworkPolicy"), &json!([])), "{text}");
    assert_eq!(spec["podSelector"]["matchLabels"], json!({ "app": "web" }));
    assert_eq!(spec["ingress"], json!([{ "ports": [{ "protocol": "TCP", "port": port }] }]));
    let left = "connect 127.0.0.0/24 tcp 9: loopback, which no NetworkPolicy ever filters";
    assert!(told.contains(left) && text.contains(left), "{text}\n{told}");
}

#[test]
fn a_suggestion_that_cannot_be_meant_is_refused_with_a_way_out() {
    let mut place = Place::new();
    let trace = place.record(":");
    let (_, key) = place.learn(&trace, "s.db");
    place.plugin.write("other.yaml", format!("{}# changed\n", place.plugin.manifest()));
    let refused = |words: &[&str], complaint| {
        let words = [&["suggest", &key, "--store", "s.db", "--as"], words].concat();
        place.check_refused(&words, 64, complaint);
    };
    refused(&["seccomp", "-m", "other.yaml"], "name that manifest, or learn under this one");
    refused(&["seccomp", "-m", "nowhere.yaml"], "nowhere.yaml: cannot be read");
    refused(&["seccomp", "--selector", "a=b"], "only a network-policy chooses pods");
    refused(&["network-policy", "--selector", "a b"], "write KEY=VALUE");
    refused(&["manifest"], "name the manifest that the baseline was learned under (-m)");
}

#[test]
fn a_suggested_manifest_lets_the_same_work_pass_and_declares_no_more_than_it_needs() {
    let rules = "files:\n  # What it reads.\n  read: [/etc/**, /never/**]\nmode: observe # for now";
    let mut place = Place { plugin: Plugin::new().declares(rules), traces: 0 };
    place.plugin.write("manifest.yaml", place.plugin.manifest());
    place.plugin.write("artifact", "the build");
    let work = "cat /etc/hostname /usr/share/base-files/motd > /dev/null";
    let trace = place.record(work);
    let (_, key) = place.learn(&trace, "s.db");
    let differ = |key: &str, manifest: &str, code| {
        place.ask(code, &["diff", key, "-m", manifest, "--store", "s.db"])
    };
    let lines = differ(&key, "manifest.yaml", 3);
    let line_of = |word: &str| {
        let manifest = place.plugin.manifest();
        manifest.lines().position(|line| line.contains(word)).unwrap() + 1
    };
    for (list, rule, word) in
        [("exec", "/bin/sleep", "/bin/sleep"), ("files.read", "/never/**", "/never/**")]
    {
        let found = lines.iter().find(|line| line["event"] == "never_used" && line["rule"] == rule);
        let found = found.unwrap_or_else(|| panic!("{rule} is not among {lines:?}"));
        assert_eq!((&found["list"], &found["line"]), (&json!(list), &json!(line_of(word))));
    }
    let motd = "read /usr/share/base-files/motd";
    let lacks =
        lines.iter().find(|line| line["event"] == "not_declared" && line["template"] == motd);
    assert_eq!(
        lacks.unwrap()["lines"],
        json!([{ "list": "files.read", "value": "/usr/share/base-files/motd" }])
    );
    let wide =
        lines.iter().find(|line| line["event"] == "wide" && line["rule"] == "/etc/**").unwrap();
    assert!(wide["used_by"].as_array().unwrap().contains(&json!("read /etc/hostname")), "{wide}");
    place.suggest(&key, &["--as", "manifest", "-m", "manifest.yaml", "-o", "patched.yaml"]);
    let patched = fs::read_to_string(place.plugin.path("patched.yaml")).unwrap();
    assert!(
        patched.contains("  # What it reads.\n  read: [/etc/**, /usr/share/base-files/motd]\n"),
        "{patched}"
    );
    assert!(
        patched.contains("mode: observe # for now") && !patched.contains("/bin/sleep"),
        "{patched}"
    );
    let lint = picket().args(["manifest", "lint"]).arg(place.plugin.path("patched.yaml")).output();
    assert_ne!(lint.as_ref().unwrap().status.code(), Some(64), "{lint:?}");
    // Another run, judged by the engine, and learned under the new manifest.
    let again = place.record(work);
    let judged = |manifest: &str| {
        let mut simulate = picket();
        simulate.arg("simulate").arg(&again).arg("-m").arg(place.plugin.path(manifest));
        simulate.output().unwrap()
    };
    assert_eq!(judged("manifest.yaml").status.code(), Some(3));
    let output = judged("patched.yaml");
    assert_eq!(output.status.code(), Some(0), "{output:?}\n{patched}");
    place.plugin.write("manifest.yaml", &patched);
    let (_, key) = place.learn(&again, "s.db");
    let lines = place.ask(0, &["diff", &key, "-m", "manifest.yaml", "--store", "s.db"]);
    assert_eq!(lines.last().unwrap()["event"], "compared");
    let told = place.run(&["diff", &key, "-m", "manifest.yaml", "--store", "s.db"]).stdout;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("manifest.yaml declares what was learned, and no more"), "{told}");
}
