//! Which files become which patterns.

use std::collections::BTreeSet;

use picket_engine::baseline::varying;

use super::{
    super::places::may_be_whole, EXECUTE, INIT, READ, WRITE, granted, open, read, run, suggested,
    write,
};

/// What is suggested for reading these.
#[track_caller]
fn reading(paths: &[&str], expected: &[&str]) {
    let found = granted(paths.iter().map(read));
    let expected: Vec<String> = expected.iter().map(|path| format!("    - {path}")).collect();
    let lists = if expected.is_empty() { vec![] } else { vec!["files:", "  read:"] };
    let lists: Vec<String> = lists.into_iter().map(str::to_owned).chain(expected).collect();
    assert_eq!(found, lists);
}

#[track_caller]
fn writing(paths: &[&str], expected: &[&str]) {
    let found = granted(paths.iter().map(write));
    let expected = expected.iter().map(|path| format!("    - {path}"));
    let lists = ["files:", "  write:"].map(str::to_owned);
    assert_eq!(found, lists.into_iter().chain(expected).collect::<Vec<_>>());
}

#[test]
fn what_the_runtime_group_covers_is_left_out() {
    reading(&["/usr/lib/x86_64-linux-gnu/libz.so.1", "/etc/ld.so.cache", "/dev/null"], &[]);
    assert_eq!(granted([open("/dev/null", READ | WRITE)]), Vec::<String>::new());
}

#[test]
fn few_files_stay_single_files() {
    reading(&["/data/a", "/data/b", "/srv/x"], &["/data/a", "/data/b", "/srv/x"]);
}

#[test]
fn many_files_of_a_directory_become_all_its_files() {
    reading(&["/srv/x/a", "/srv/x/b", "/srv/x/c", "/srv/x/d"], &["/srv/x/*"]);
}

#[test]
fn a_bushy_tree_becomes_all_below_it_and_itself() {
    let paths = ["/srv/x", "/srv/x/a/1", "/srv/x/b/1", "/srv/x/c/1", "/srv/x/d/1", "/srv/x/e/1"];
    reading(&paths, &["/srv/x/**"]);
}

#[test]
fn a_directory_that_was_listed_is_a_line_of_its_own() {
    reading(&["/srv/x", "/srv/x/a"], &["/srv/x", "/srv/x/a"]);
    reading(&["/"], &["/"]);
}

#[test]
fn reading_and_writing_are_put_together_apart() {
    let names = ["a", "b", "c", "d"].map(|name| format!("/srv/x/{name}"));
    let mut deeds: Vec<_> = names.iter().map(read).collect();
    deeds.push(open("/srv/x/a", READ | WRITE));
    let expected = ["files:", "  read:", "    - /srv/x/*", "  write:", "    - /srv/x/a"];
    assert_eq!(granted(deeds), expected);
}

#[test]
fn a_file_opened_to_be_run_that_was_not_run_may_be_read() {
    let expected = ["files:", "  read:", "    - /srv/x/no-program"];
    assert_eq!(granted([open("/srv/x/no-program", READ | EXECUTE)]), expected);
    assert_eq!(granted([open("/opt/app/tool", READ | EXECUTE)]), Vec::<String>::new());
}

#[test]
fn etc_stays_single_files_and_so_do_writes_below_usr() {
    let etc = ["/etc/a", "/etc/b", "/etc/c", "/etc/d", "/etc/e"];
    reading(&etc, &etc);
    let usr = ["/usr/share/x/a", "/usr/share/x/b", "/usr/share/x/c", "/usr/share/x/d"];
    reading(&usr, &["/usr/share/x/*"]);
    writing(&usr, &usr);
}

#[test]
fn no_top_of_the_tree_is_granted_as_a_whole() {
    for place in [
        "",
        "/etc",
        "/etc/ssl",
        "/home",
        "/home/u",
        "/home/u/.config",
        "/root",
        "/root/.cache",
        "/proc",
        "/proc/1",
        "/usr",
        "/usr/lib",
        "/usr/bin",
        "/var",
        "/var/lib",
        "/tmp",
        "/dev",
        "/run",
        "/sys/kernel",
        "/opt",
        "/srv",
        "/tmp/*",
        "/usr/lib/x86_64-linux-gnu",
    ] {
        assert!(!may_be_whole(place, false) && !may_be_whole(place, true), "{place}");
    }
    for place in ["/usr/include", "/usr/lib/git-core", "/usr/share/x"] {
        assert!(may_be_whole(place, false) && !may_be_whole(place, true), "{place}");
    }
    for place in ["/opt/app", "/home/u/project", "/var/lib/app", "/tmp/work", "/home/u/.cache/x"] {
        assert!(may_be_whole(place, false) && may_be_whole(place, true), "{place}");
    }
}

#[test]
fn varying_names_become_wildcards() {
    let own = BTreeSet::from([INIT, 77]);
    for (path, pattern) in [
        ("/tmp/ccAbC123.o", "/tmp/cc*.o"),
        ("/src/ccAbC123.o", "/src/ccAbC123.o"),
        ("/tmp/ccache.conf", "/tmp/ccache.conf"),
        ("/tmp/tmp.Xa3bYc9ZQ1/x", "/tmp/tmp.*/x"),
        ("/tmp/tmpab_1cd2e", "/tmp/tmp*"),
        ("/tmp/.tmpAbCdEf", "/tmp/.tmp*"),
        ("/tmp/work/u43vucgf", "/tmp/work/*"),
        ("/r/.git/objects/ab/tmp_obj_Ab12Cd", "/r/.git/objects/*/tmp_obj_*"),
        ("/r/.git/objects/ab/0123456789012345678901234567890123456a", "/r/.git/objects/*/*"),
        ("/x/__pycache__/m.cpython-311.pyc", "/x/__pycache__/*.pyc"),
        ("/x/__pycache__/m.cpython-311.pyc.140023456789", "/x/__pycache__/*.pyc.*"),
        ("/x/m.cpython-311.pyc", "/x/m.cpython-311.pyc"),
        ("/log/app-2026-11-22.log", "/log/app-*.log"),
        ("/log/app-20261122.log", "/log/app-*.log"),
        ("/log/2026-11-22T10:30:00Z", "/log/*"),
        ("/log/2026-11-22_10-30-00.gz", "/log/*.gz"),
        ("/c/6f1ed002-ab13-4c1d-9b1e-0123456789ab.json", "/c/*.json"),
        ("/c/pack-3e25960a79dbc69b674cd4ec67a72c62.idx", "/c/pack-*.idx"),
        ("/run/app.4242", "/run/app.*"),
        ("/run/app.42", "/run/app.42"),
        ("/run/job-140023.lock", "/run/job-*.lock"),
        ("/proc/77/task/78/comm", "/proc/*/task/*/comm"),
        ("/lib/deadbeefcafe/x", "/lib/deadbeefcafe/x"),
        ("/lib/x86_64-linux-gnu/v1.2.3", "/lib/x86_64-linux-gnu/v1.2.3"),
        ("/data/a*b\\c", "/data/a\\*b\\\\c"),
    ] {
        let found = format!("/{}", varying::segments(path, &own).join("/"));
        assert_eq!(found, pattern, "{path}");
    }
}

#[test]
fn a_name_with_a_wildcard_covers_its_kin_in_one_line() {
    let paths =
        ["/r/objects/ab/tmp_obj_Ab12Cd", "/r/objects/cd/0123456789012345678901234567890123456a"];
    writing(&paths, &["/r/objects/*/*"]);
}

#[test]
fn nothing_is_put_together_over_what_was_left_to_a_person() {
    let names = ["a", "b", "c", "d"].map(|name| format!("/srv/x/{name}"));
    let mut deeds: Vec<_> = names.iter().map(read).collect();
    let mut secret = read("/srv/x/secret");
    if let picket_engine::Fact::Open { file, .. } = &mut secret {
        file.inode = 666;
    }
    deeds.push(secret);
    let run = run(deeds);
    let text = suggested(&[&run]).text().to_owned();
    assert!(!text.contains("/srv/x/*") && text.contains("# - /srv/x/secret"), "{text}");
}

#[test]
fn a_made_up_name_does_not_open_a_shared_place_to_its_last_file() {
    for path in ["/tmp/u43vucgf", "/run/4242", "/proc/4242"] {
        let run = run([read(path)]);
        let text = suggested(&[&run]).text().to_owned();
        assert!(text.contains("only a pattern for all names there covers"), "{text}");
    }
}

#[test]
fn a_made_up_name_that_the_plugin_wrote_in_a_scratch_place_opens_it_and_says_so() {
    let probe = open("/tmp/u43vucgf", READ | WRITE);
    let run = run([probe]);
    let text = suggested(&[&run]).text().to_owned();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("- /tmp/*  # WIDE, ")).collect();
    assert_eq!(lines.len(), 2, "to read and to write: {text}");
}
