//! A manifest suggested from a recorded run lets the same work pass, and nothing beside it.
//!
//! Real programs of Debian. Each works in a directory below `/opt`, because a program in `/tmp` is one that anybody
//! could have put there, and is not granted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::rc::Rc;

use picket_tests::{picket, require_root, unique};
use serde_json::Value;
use tempfile::TempDir;

/// Something to do, and what it finds each time it starts.
struct Work {
    home: Rc<TempDir>,
    prepare: &'static [(&'static str, &'static str)],
    script: String,
    port: u16,
}

impl Work {
    /// A shell script of these lines, in a fresh directory with these files. `PORT` is a free one.
    #[track_caller]
    fn new(
        programs: &[&str],
        prepare: &'static [(&'static str, &'static str)],
        lines: &str,
    ) -> Self {
        require_root("Picket loads kernel programs");
        for program in programs {
            let found = ["/usr/bin", "/usr/local/bin"]
                .iter()
                .any(|at| Path::new(at).join(program).is_file());
            assert!(found, "this test needs {program}: install it");
        }
        let home = tempfile::Builder::new().prefix("picket-suggest").tempdir_in("/opt").unwrap();
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        let script = lines.replace("PORT", &port.to_string());
        Self { home: Rc::new(home), prepare, script, port }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The same directory as the last time, as it was at the first. `more` ends the script.
    fn picket(&self, arguments: &[&str], more: &str) -> Output {
        let (place, plugin) = (self.path("place"), self.path("plugin.sh"));
        drop(fs::remove_dir_all(&place));
        fs::create_dir(&place).unwrap();
        for (name, text) in self.prepare {
            let path = place.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::write(&plugin, format!("#!/bin/sh -e\n{}\n{more}\n", self.script)).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&plugin, executable).unwrap();
        let mut command = picket();
        command.arg("exec").args(arguments).args(["--output", "json"]);
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.path("home"));
        command.arg("--").arg(plugin).current_dir(&place).output().unwrap()
    }

    /// Records it, and makes a manifest of `n` records that is enforced.
    fn suggest(&self, n: usize) -> String {
        fs::create_dir_all(self.path("home")).unwrap();
        let mut command = picket();
        command.args(["manifest", "suggest", "--name", &unique("suggest"), "--version", "1.0.0"]);
        for number in 0..n {
            let trace = self.path(&format!("{number}.trace"));
            let recorded = self.picket(&["--record", trace.to_str().unwrap()], "");
            assert_eq!(recorded.status.code(), Some(0), "{recorded:?}");
            command.arg("--from").arg(&trace);
        }
        let suggested = command.output().unwrap();
        let told = String::from_utf8_lossy(&suggested.stderr).into_owned();
        assert_eq!(suggested.status.code(), Some(0), "{told}");
        assert!(!told.contains("left to a person"), "{told}");
        let text = String::from_utf8(suggested.stdout).unwrap();
        let enforced = text.replace("mode: shadow", "mode: enforce");
        let containment = "containment: { hold: 1s, on_expiry: kill }";
        fs::write(self.path("manifest.yaml"), format!("{enforced}{containment}\n")).unwrap();
        text
    }

    /// The suggested manifest lets the work pass, and of `undeclared` besides it tells one departure.
    #[track_caller]
    fn check(&self, n: usize, undeclared: &str, reason: &str) {
        let text = self.suggest(n);
        let manifest = self.path("manifest.yaml");
        let under = ["-m", manifest.to_str().unwrap()];
        for _ in 0..2 {
            let honest = self.picket(&under, "");
            assert_eq!(findings(&honest), Vec::<String>::new(), "{text}\n{honest:?}");
            assert_eq!(honest.status.code(), Some(0), "{text}\n{honest:?}");
        }
        fs::write(self.path("undeclared"), "undeclared").unwrap();
        let act = undeclared.replace("UNDECLARED", self.path("undeclared").to_str().unwrap());
        let caught = self.picket(&under, &format!("{act}\nwhile :; do :; done"));
        assert_eq!(findings(&caught), [reason], "{text}\n{caught:?}");
        assert_eq!(caught.status.code(), Some(120), "{caught:?}");
    }
}

/// The reasons of all findings.
fn findings(output: &Output) -> Vec<String> {
    let reports = String::from_utf8_lossy(&output.stderr).into_owned();
    let reports = reports.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    reports
        .filter(|report| report["event"] == "finding")
        .map(|report| report["reason"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_suggested_shell_script_passes_and_one_undeclared_read_is_found() {
    let lines = "printf 'c\\nb\\na\\n' | sort > sorted\ngrep -c . < sorted | sed 's/$/ lines/' > count\n\
                 cat count sorted > all";
    Work::new(&["sort", "grep", "sed", "cat"], &[], lines).check(
        2,
        "read line < UNDECLARED",
        "undeclared_path",
    );
}

#[test]
fn a_suggested_python_passes_and_one_undeclared_program_is_found() {
    let script = "import csv, hashlib, json, os, sqlite3\n\
                  data = json.load(open('in.json'))\n\
                  csv.writer(open('out.csv', 'w')).writerows(data)\n\
                  os.mkdir('many')\n\
                  for i in range(6): open(f'many/{i}', 'w').write(hashlib.sha256(b'x').hexdigest())\n\
                  print(sum(len(open(f'many/{name}').read()) for name in os.listdir('many')))\n";
    let prepare = Box::leak(Box::new([("in.json", "[[1, 2], [3, 4]]"), ("work.py", script)]));
    Work::new(&["python3"], prepare, "/usr/bin/python3 work.py").check(
        2,
        "/usr/bin/true",
        "undeclared_exec",
    );
}

#[test]
fn a_suggested_web_server_passes_and_one_undeclared_port_is_found() {
    let client = "import sys, time, urllib.request\n\
                  for _ in range(300):\n\
                  \x20   try: sys.exit(urllib.request.urlopen(sys.argv[1]).read() != b'hello')\n\
                  \x20   except OSError: time.sleep(0.1)\n\
                  sys.exit('no server')\n";
    let prepare = Box::leak(Box::new([("page.html", "hello"), ("client.py", client)]));
    let lines = "/usr/bin/python3 -m http.server --bind 127.0.0.1 PORT 2> log &\n\
                 /usr/bin/python3 client.py http://127.0.0.1:PORT/page.html\n\
                 kill $!\nwait $! || :";
    let work = Work::new(&["python3"], prepare, lines);
    let other = if work.port == 9 { 10 } else { 9 };
    let act = format!("/usr/bin/python3 client.py http://127.0.0.1:{other}/ &");
    work.check(2, &act, "undeclared_destination");
}

#[test]
fn a_suggested_git_passes_and_one_undeclared_read_is_found() {
    let lines = "git init -q .\necho hi > file\ngit add file\n\
                 git -c user.name=n -c user.email=e commit -q -m one\ngit log --oneline > log";
    Work::new(&["git"], &[], lines).check(2, "read line < UNDECLARED", "undeclared_path");
}

#[test]
fn a_suggested_tar_passes_and_one_undeclared_write_is_found() {
    let prepare = &[("src/a", "a"), ("src/b", "b"), ("src/c/d", "d")];
    let lines = "tar czf all.tgz src\nmkdir out\ntar xzf all.tgz -C out\ncat out/src/c/d > last";
    Work::new(&["tar", "gzip", "mkdir"], prepare, lines).check(
        2,
        "echo x > UNDECLARED",
        "undeclared_path",
    );
}

#[test]
fn a_suggested_compiler_passes_and_one_undeclared_program_is_found() {
    let prepare =
        &[("hello.c", "#include <stdio.h>\nint main(void) { return puts(\"hello\") < 0; }\n")];
    Work::new(&["gcc"], prepare, "gcc -O1 -o hello hello.c").check(
        2,
        "/usr/bin/true",
        "undeclared_exec",
    );
}

#[test]
fn a_manifest_and_the_runs_it_was_suggested_from_do_not_differ() {
    let work = Work::new(&["cat"], &[("in", "x")], "cat in > out");
    work.suggest(1);
    let manifest = work.path("manifest.yaml");
    let diff = |manifest: &Path, format: &str| {
        let mut command: Command = picket();
        command.args(["manifest", "diff", "--output", format, "--from"]).arg(work.path("0.trace"));
        command.arg(manifest).output().unwrap()
    };
    let same = diff(&manifest, "human");
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let text = fs::read_to_string(&manifest).unwrap();
    let line = text.lines().position(|line| line.contains("/place/in")).unwrap();
    let other = work.path("other.yaml");
    fs::write(&other, text.replace("/place/in", "/place/other")).unwrap();
    let differ = diff(&other, "json");
    assert_eq!(differ.status.code(), Some(3), "{differ:?}");
    let lines: Vec<Value> = String::from_utf8(differ.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!((&lines[0]["event"], &lines[0]["line"]), (&"never_seen".into(), &(line + 1).into()));
    assert_eq!(lines[1]["event"], "not_declared");
    assert_eq!(lines[1]["reason"], "undeclared_path");
    assert_eq!((&lines[2]["never_seen"], &lines[2]["not_declared"]), (&1.into(), &1.into()));
    let nothing = diff(Path::new("/nowhere.yaml"), "human");
    assert_eq!(nothing.status.code(), Some(64), "{nothing:?}");
}
