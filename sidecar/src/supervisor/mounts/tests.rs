use super::*;

const HYBRID: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
23 27 0:22 / /sys rw,relatime shared:7 master:1 - sysfs sysfs rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

fn points(mountinfo: &str) -> Vec<String> {
    let mounts = parse(mountinfo.as_bytes());
    reachable(&mounts, |_any| true).map(|mount| mount.point.display().to_string()).collect()
}

#[test]
fn every_line_gives_a_mount_and_optional_fields_are_skipped() {
    let mounts = parse(HYBRID.as_bytes());
    assert_eq!(mounts.len(), 6);
    let sysfs = &mounts[1];
    assert_eq!((sysfs.id, sysfs.parent, sysfs.file_system.as_str()), (23, 27, "sysfs"));
    assert!(!sysfs.read_only);
}

#[test]
fn read_only_by_mount_or_by_file_system_is_read_only() {
    let mounts = parse(HYBRID.as_bytes());
    assert!(mounts[3].read_only);
    let by_file_system = parse(b"1 0 0:1 / / rw,relatime - ext4 /dev/vda ro\n");
    assert!(by_file_system[0].read_only);
    let neither = parse(b"1 0 0:1 / / rw,root=x - ext4 /dev/vda rw,errors=remount-ro\n");
    assert!(!neither[0].read_only);
}

#[test]
fn escaped_bytes_in_paths_are_read_back() {
    let mounts = parse(b"1 0 0:1 /a\\134b /with\\040blank\\011tab - rw - x x rw\n");
    assert_eq!(mounts[0].root, PathBuf::from("/a\\b"));
    assert_eq!(mounts[0].point, PathBuf::from("/with blank\ttab"));
}

#[test]
fn lines_that_are_not_as_documented_are_left_out() {
    for text in ["", "\n\n", "x", "1 2 3", "1 0 0:1 / / rw no dash", "1 0 0:1 / / rw - ext4"] {
        assert_eq!(parse(text.as_bytes()), [], "{text:?}");
    }
}

#[test]
fn without_covers_everything_is_reachable() {
    assert_eq!(points(HYBRID).len(), 6);
}

#[test]
fn a_mount_on_top_of_another_hides_it() {
    let text = format!("{HYBRID}50 41 0:38 /picket/x /sys/fs/cgroup/unified ro - cgroup2 c rw\n");
    let mounts = parse(text.as_bytes());
    let unified: Vec<_> = reachable(&mounts, Mount::is_cgroup2).collect();
    assert_eq!(unified.len(), 1);
    assert_eq!(unified[0].root, PathBuf::from("/picket/x"));
}

#[test]
fn a_mount_over_a_directory_hides_what_was_mounted_below_it() {
    let text = format!("{HYBRID}50 31 0:50 / /sys/fs/cgroup/uni rw - tmpfs t rw\n");
    assert!(points(&text).contains(&"/sys/fs/cgroup/unified".to_owned()), "only a similar name");
    let text = format!("{HYBRID}50 23 0:50 / /sys/fs rw - tmpfs t rw\n");
    assert_eq!(points(&text), ["/proc", "/sys", "/", "/sys/fs"]);
}

#[test]
fn what_hangs_below_a_hidden_mount_is_hidden_too() {
    let text = format!("{HYBRID}50 23 0:50 / /sys rw - tmpfs t rw\n");
    assert_eq!(points(&text), ["/proc", "/", "/sys"]);
}

#[test]
fn a_mount_that_is_its_own_ancestor_does_not_hang_the_walk() {
    let text = "1 2 0:1 / /a rw - x x rw\n2 1 0:2 / /a/b rw - x x rw\n";
    assert_eq!(points(text).len(), 2);
}
