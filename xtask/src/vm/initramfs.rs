//! Packs the guest's whole file system: test programs, their libraries, a shell.
//!
//! The tree has Debian's shape (`/bin` is a link to `/usr/bin`, libraries where they are on the
//! host), so that canonical paths in the guest are those of a real machine.

mod systemd;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::artifacts::{self, Programs};
use crate::places;
use crate::shell::{self, About, Failure, Outcome};

/// Test programs of a guest whose first process is `init.sh`, in the order of their run; it has the same list.
pub(super) const SUITES: [&str; 3] = ["kernel", "gate", "node"];

/// The test program of a guest whose first process is systemd; `service/test.service` runs it.
pub(super) const SERVICE: &str = "service";

const STAND_IN: &str = "picket-stand-in";

const INIT: &str = include_str!("init.sh");
const DIRECTORIES: [&str; 13] = [
    "dev",
    "etc",
    "proc",
    "root",
    "run",
    "sys",
    "tmp",
    "usr/bin",
    "usr/lib",
    "usr/lib64",
    "usr/lib/picket-tests",
    "usr/sbin",
    "var/tmp",
];
const LINKS: [(&str, &str); 4] =
    [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("sbin", "usr/sbin")];
const FILES: [(&str, &str); 5] = [
    ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"),
    ("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
    ("etc/ld.so.conf", "/usr/lib/x86_64-linux-gnu\n"),
];

/// Builds the image and returns its path.
pub(super) fn build(programs: &Programs, filter: &[String]) -> Outcome<PathBuf> {
    let root = places::scratch("vm/root")?;
    fs::remove_dir_all(&root).about(root.display())?;
    skeleton(&root)?;
    install(&root, Path::new("/bin/busybox"), "usr/bin/busybox")?;
    install(&root, Path::new("/usr/bin/dash"), "usr/bin/dash")?;
    install(&root, Path::new("/usr/sbin/bpftool"), "usr/sbin/bpftool")?;
    install(&root, Path::new("/usr/bin/crun"), "usr/bin/crun")?;
    systemd::install_into(&root)?;
    install(&root, artifacts::find(programs, "picket")?, "usr/bin/picket")?;
    for suite in SUITES.into_iter().chain([SERVICE]) {
        install(
            &root,
            artifacts::find(programs, suite)?,
            &format!("usr/lib/picket-tests/{suite}"),
        )?;
    }
    // The stand-in of the gate's tests, where `init.sh` says that it is.
    let stand_in = artifacts::find(programs, STAND_IN)?;
    install(&root, stand_in, &format!("usr/lib/picket-tests/{STAND_IN}"))?;
    write(&root, "init", INIT)?;
    fs::set_permissions(root.join("init"), fs::Permissions::from_mode(0o755)).about("init")?;
    write(&root, "etc/picket-tests", &format!("{}\n", filter.join("\n")))?;
    pack(&root)
}

fn skeleton(root: &Path) -> Outcome {
    for name in DIRECTORIES {
        let place = root.join(name);
        fs::create_dir_all(&place).about(place.display())?;
    }
    for (name, leads_to) in LINKS {
        symlink(leads_to, root.join(name)).about(name)?;
    }
    FILES.iter().try_for_each(|(name, text)| write(root, name, text))
}

fn write(root: &Path, name: &str, text: &str) -> Outcome {
    let file = root.join(name);
    fs::write(&file, text).about(file.display())
}

/// Puts a program in, without debug information, and every library it is linked to.
fn install(root: &Path, program: &Path, name: &str) -> Outcome {
    let copy = root.join(name);
    // Strip's own message is about symbols; say first when the file itself is the trouble.
    fs::metadata(program).about(program.display())?;
    shell::capture(Command::new("strip").arg("--strip-debug").arg("-o").arg(&copy).arg(program))?;
    for library in libraries(program)? {
        let place = root.join(library.strip_prefix("/").unwrap_or(&library));
        if place.exists() {
            continue;
        }
        let directory = place.parent().unwrap_or(root);
        fs::create_dir_all(directory).about(directory.display())?;
        fs::copy(&library, &place).about(library.display())?;
    }
    Ok(())
}

/// The loader and the libraries of a program, by the names under which they are looked for.
fn libraries(program: &Path) -> Outcome<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().about("ldd")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = said.lines().find(|line| line.contains("not found")) {
        return Err(Failure::new(format!("{}: {}", program.display(), line.trim())));
    }
    // A static program has none, which ldd says as an error.
    Ok(said.lines().filter_map(library).collect())
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)` or `/lib64/ld-linux-x86-64.so.2 (0x…)`.
fn library(line: &str) -> Option<PathBuf> {
    let place = line.split_once(" => ").map_or(line, |(_, place)| place).trim();
    let path = place.split(" (").next()?;
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// Not compressed: emulated processors unpack more slowly than QEMU copies.
fn pack(root: &Path) -> Outcome<PathBuf> {
    let image = places::scratch("vm")?.join("initramfs.cpio");
    let script = "find . -print0 | cpio --quiet --null --create --format=newc --owner=0:0 > \"$1\"";
    shell::capture(Command::new("sh").args(["-ec", script, "sh"]).arg(&image).current_dir(root))?;
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_ldd_is_a_file_or_nothing() {
        let path = |line| library(line).map(|path| path.display().to_string());
        let libc = "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f0000000000)";
        assert_eq!(path(libc).as_deref(), Some("/lib/x86_64-linux-gnu/libc.so.6"));
        let loader = "\t/lib64/ld-linux-x86-64.so.2 (0x00007f0000000000)";
        assert_eq!(path(loader).as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(path("\tlinux-vdso.so.1 (0x00007ffc00000000)"), None);
        assert_eq!(path("\tnot a dynamic executable"), None);
    }

    #[test]
    fn the_guest_runs_exactly_the_programs_that_are_packed() {
        assert!(INIT.contains(&format!("for suite in {}; do", SUITES.join(" "))));
        assert!(systemd::TEST_UNIT.contains(&format!("/usr/lib/picket-tests/{SERVICE} ")));
        assert!(INIT.contains(&format!("/usr/lib/picket-tests/{STAND_IN}\n")));
    }
}
