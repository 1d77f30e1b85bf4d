use super::*;

fn choose(mountinfo: &str) -> Result<CgroupRoot, String> {
    CgroupRoot::choose(&mounts::parse(mountinfo.as_bytes())).map_err(|error| error.to_string())
}

#[test]
fn a_unified_host_has_it_at_the_usual_place() {
    let root = choose("30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n").unwrap();
    assert_eq!(root.mount(), Path::new("/sys/fs/cgroup"));
    assert_eq!(root.home(), Path::new("/sys/fs/cgroup/picket"));
    assert_eq!(root.name_in_proc("a.1"), Path::new("/picket/a.1"));
}

#[test]
fn a_hybrid_host_has_it_beside_the_old_controllers() {
    let root = choose(
        "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n\
         32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
    )
    .unwrap();
    assert_eq!(root.mount(), Path::new("/sys/fs/cgroup/unified"));
}

#[test]
fn a_writable_mount_is_preferred_to_a_read_only_one_and_the_root_to_a_subtree() {
    let root = choose(
        "1 0 0:26 / /a ro - cgroup2 cgroup2 rw\n\
         2 0 0:26 /kubepods /b rw - cgroup2 cgroup2 rw\n\
         3 0 0:26 / /c rw - cgroup2 cgroup2 rw\n",
    )
    .unwrap();
    assert_eq!(root.mount(), Path::new("/c"));
}

#[test]
fn a_mount_that_begins_above_the_cgroup_namespace_shows_more_than_its_root() {
    let root = choose(
        "1 0 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
         2 0 0:26 /../../.. /host rw - cgroup2 cgroup2 rw\n\
         3 0 0:26 /.. /above rw - cgroup2 cgroup2 rw\n",
    )
    .unwrap();
    assert_eq!(root.mount(), Path::new("/host"));
}

#[test]
fn a_subtree_mount_is_named_as_proc_names_it() {
    let root = choose("2 0 0:26 /kubepods /b rw - cgroup2 cgroup2 rw\n").unwrap();
    assert_eq!(root.name_in_proc("a.1"), Path::new("/kubepods/picket/a.1"));
}

#[test]
fn a_host_without_cgroup2_is_told_how_to_mount_it() {
    let error = choose("1 0 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n").unwrap_err();
    assert!(error.contains("mount -t cgroup2"), "{error}");
}

#[test]
fn a_read_only_mount_is_named() {
    let error = choose("1 0 0:26 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n").unwrap_err();
    assert!(error.starts_with("the cgroup2 file system at /sys/fs/cgroup is mounted read-only"));
}

#[test]
fn a_covered_mount_is_not_used() {
    let error = choose(
        "1 0 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
         2 1 0:30 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n",
    )
    .unwrap_err();
    assert!(error.contains("no cgroup2"), "{error}");
}
