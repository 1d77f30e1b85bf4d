use super::*;

const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

fn places(mountinfo: &str, cgroups: &str) -> Vec<(String, String)> {
    let places = Hierarchies::in_mountinfo(mountinfo.as_bytes()).places(cgroups);
    places.into_iter().map(|(name, path)| (name, path.display().to_string())).collect()
}

fn pair(controller: &str, path: &str) -> (String, String) {
    (controller.to_owned(), path.to_owned())
}

#[test]
fn a_process_has_a_place_for_each_controller_that_is_mounted() {
    let text =
        "5:memory:/docker/x/job\n3:pids:/job\n2:cpu,cpuacct:/job\n1:name=systemd:/\n0::/job\n";
    let expected = [
        pair("cpu", "/sys/fs/cgroup/cpu,cpuacct/job"),
        pair("cpuacct", "/sys/fs/cgroup/cpu,cpuacct/job"),
        pair("memory", "/sys/fs/cgroup/memory/job"),
        pair("name=systemd", "/sys/fs/cgroup/systemd/"),
    ];
    assert_eq!(places(HYBRID, text), expected);
}

#[test]
fn a_place_above_what_is_mounted_or_out_of_the_namespace_is_none() {
    assert_eq!(places(HYBRID, "5:memory:/docker\n4:cpu:/../other\n"), []);
}

#[test]
fn a_unified_host_has_no_hierarchies() {
    let unified = "41 31 0:38 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
    assert!(Hierarchies::in_mountinfo(unified.as_bytes()).are_none());
    assert_eq!(places(unified, "0::/job\n"), []);
}
