//! Which places are too much to grant without a person, and how far files of a place may be put together.

use super::super::resolve::protected_everywhere;

/// Files and trees that are never suggested for reading or writing: what is behind them is worth more than a plugin.
const SENSITIVE: [&str; 22] = [
    "/etc/shadow-",
    "/etc/gshadow-",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/kubernetes",
    "/root/.ssh",
    "/root/.aws",
    "/root/.kube",
    "/root/.gnupg",
    "/root/.netrc",
    "/root/.docker",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd",
    "/run/secrets",
    "/var/run/secrets",
    "/dev/mem",
    "/dev/kmem",
    "/dev/kmsg",
    "/dev/port",
    "/proc/kcore",
    "/proc/sysrq-trigger",
];
/// The same in every home directory.
const SENSITIVE_AT_HOME: [&str; 6] = [".ssh", ".aws", ".kube", ".gnupg", ".netrc", ".docker"];
/// Whole disks.
const DISKS: [&str; 7] = ["sd", "nvme", "vd", "xvd", "dm-", "mapper/", "loop"];
/// Files of a process that tell or change everything about it: a pattern cannot mean the own process alone.
const OF_A_PROCESS: [&str; 6] = ["mem", "environ", "pagemap", "clear_refs", "map_files", "root"];

/// Writing here changes what others run or trust.
const NEVER_WRITTEN: [&str; 26] = [
    "/bin",
    "/boot",
    "/etc/cron.d",
    "/etc/cron.daily",
    "/etc/cron.hourly",
    "/etc/crontab",
    "/etc/group",
    "/etc/gshadow",
    "/etc/init.d",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/pam.d",
    "/etc/passwd",
    "/etc/profile",
    "/etc/profile.d",
    "/etc/ssh",
    "/etc/systemd",
    "/lib/modules",
    "/lib/systemd",
    "/sbin",
    "/usr/bin",
    "/usr/lib/systemd",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];

/// How many segments a directory must have at least to be granted as a whole, for reading and for writing; `NEVER`
/// where single files stay single files. The longest beginning counts.
const DEPTHS: [(&str, usize, usize); 25] = [
    ("/", 2, 2),
    ("/bin", NEVER, NEVER),
    ("/boot", NEVER, NEVER),
    ("/dev", NEVER, NEVER),
    ("/dev/shm", 3, 3),
    ("/etc", NEVER, NEVER),
    ("/home", 3, 3),
    ("/lib", NEVER, NEVER),
    ("/lib64", NEVER, NEVER),
    ("/proc", NEVER, NEVER),
    ("/root", 2, 2),
    ("/run", NEVER, NEVER),
    ("/sbin", NEVER, NEVER),
    ("/sys", NEVER, NEVER),
    ("/usr", 3, NEVER),
    ("/usr/bin", NEVER, NEVER),
    ("/usr/include", 2, NEVER),
    ("/usr/lib/x86_64-linux-gnu", 4, NEVER),
    ("/usr/local", 4, NEVER),
    ("/usr/local/bin", NEVER, NEVER),
    ("/usr/local/sbin", NEVER, NEVER),
    ("/usr/sbin", NEVER, NEVER),
    ("/var", 3, 3),
    ("/var/run", NEVER, NEVER),
    ("/var/spool/cron", NEVER, NEVER),
];
const NEVER: usize = usize::MAX;

/// Why a person must decide about opening this file, if so. `path` is canonical; `own` are ids of own processes.
pub(in super::super) fn danger(
    path: &str,
    write: bool,
    own: impl Fn(u32) -> bool,
) -> Option<&'static str> {
    if protected_everywhere().any(|known| match known.strip_suffix("/*") {
        Some(directory) => is_below(path, directory),
        None => path == known,
    }) {
        return Some("a protected file");
    }
    if SENSITIVE.iter().any(|place| is_below(path, place)) || is_secret_at_home(path) {
        return Some("holds secrets, or is a way out");
    }
    if let Some(name) = path.strip_prefix("/dev/")
        && DISKS.iter().any(|disk| name.starts_with(disk))
    {
        return Some("a whole disk");
    }
    if let Some(rest) = path.strip_prefix("/proc/")
        && let Some(why) = process_danger(rest, own)
    {
        return Some(why);
    }
    if !write {
        return None;
    }
    let control = ["/proc", "/sys"].iter().any(|place| is_below(path, place));
    if control && !is_thread_name(path) {
        return Some("steers the kernel");
    }
    let run = NEVER_WRITTEN.iter().any(|place| is_below(path, place));
    run.then_some("others run or trust what is written here")
}

/// Whether a file lies directly in a place where everybody makes files that nobody finds again.
pub(super) fn is_scratch(path: &str) -> bool {
    let directory = path.rsplit_once('/').map(|(directory, _)| directory);
    directory.is_some_and(|directory| ["/tmp", "/var/tmp", "/dev/shm"].contains(&directory))
}

fn is_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_secret_at_home(path: &str) -> bool {
    let Some((_user, rest)) = path.strip_prefix("/home/").and_then(|rest| rest.split_once('/'))
    else {
        return false;
    };
    SENSITIVE_AT_HOME.iter().any(|secret| is_below(rest, secret))
}

fn process_danger(rest: &str, own: impl Fn(u32) -> bool) -> Option<&'static str> {
    let (pid, file) = rest.split_once('/').unwrap_or((rest, ""));
    let pid: u32 = pid.parse().ok()?;
    if !own(pid) {
        return Some("of a process that is not the plugin's");
    }
    let last = file.split('/').find(|name| OF_A_PROCESS.contains(name));
    last.map(|_| "a pattern for it would cover every other process, too")
}

/// `/proc/<pid>/comm`: a process names its threads there.
fn is_thread_name(path: &str) -> bool {
    path.starts_with("/proc/") && path.ends_with("/comm")
}

/// Whether a directory may be granted as a whole.
pub(in super::super) fn may_be_whole(directory: &str, write: bool) -> bool {
    let longest = DEPTHS
        .iter()
        .filter(|(place, ..)| *place == "/" || is_below(directory, place))
        .max_by_key(|(place, ..)| place.len());
    let least = longest.map_or(NEVER, |&(_, read, written)| if write { written } else { read });
    let names: Vec<&str> = directory.split('/').filter(|name| !name.is_empty()).collect();
    // A wildcard names nobody: `/tmp/*/*` is no directory of the plugin's.
    let named = names.iter().filter(|name| !name.contains('*')).count();
    // `.config` and its like at home hold what belongs to others.
    let hidden = match names.as_slice() {
        ["root", name] | ["home", _, name] => name.starts_with('.'),
        _ => false,
    };
    least <= named && !hidden
}
