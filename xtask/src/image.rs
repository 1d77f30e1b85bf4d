//! `cargo xtask image`: the static binary of the image, built by the Dockerfile's own script, tried where it will live.
//!
//! No container engine is asked: an empty root is a directory. Not part of the test suites, because a second build of
//! every dependency costs as much as all of them; docs/kubernetes.md has its last result.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::shell::{self, About, Failure, Outcome};
use crate::{apt, places};

/// In the profile that the tests use: what is asked is whether it is static and works so, not how fast it is.
const PROFILE: &str = "dev";
const BUILT: &str = "x86_64-unknown-linux-gnu/debug/picket";

/// A manifest with a name that only the empty root's `/etc/hosts` knows, and one that nobody knows.
const MANIFEST: &str = "version: 1\nplugin: { name: named, version: 1.0.0 }\nnetwork:\n  connect:\n    \
                        - { to: known.picket.test, port: 443 }\n    \
                        - { to: unknown.picket.test, port: 443 }\n";
const HOSTS: &str = "192.0.2.7 known.picket.test\n";

pub(crate) fn run(arguments: &[String]) -> Outcome<ExitCode> {
    if let Some(word) = arguments.first() {
        return Err(Failure::new(format!("image takes no argument, `{word}` neither")));
    }
    apt::ensure(&["busybox-static", "libc6-dev", "gcc"])?;
    let target = places::target()?;
    shell::step("building the static binary, by deploy/docker/build.sh", || {
        let mut build = Command::new(places::repository().join("deploy/docker/build.sh"));
        places::forget_this_crate(&mut build);
        shell::run(build.arg(PROFILE).env("CARGO_TARGET_DIR", &target))
    })?;
    let program = target.join(BUILT);
    shell::step("it is static", || is_static(&program))?;
    let root = empty_root(&program)?;
    shell::step("it runs in an empty root", || {
        let said = shell::capture(in_root(&root).args(["/picket", "--version"]))?;
        print!("    {said}");
        Ok(())
    })?;
    shell::step("it finds names there", || finds_names(&root))?;
    shell::step("it loads the kernel programs there", || loads(&root))?;
    Ok(ExitCode::SUCCESS)
}

fn is_static(program: &Path) -> Outcome {
    let output = Command::new("ldd").arg(program).output().about("ldd")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if said.contains("statically linked") || said.contains("not a dynamic executable") {
        return Ok(());
    }
    Err(Failure::new(format!("{} wants libraries:\n{said}", program.display())))
}

/// A root with the binary, and what a kubelet puts beside it.
fn empty_root(program: &Path) -> Outcome<std::path::PathBuf> {
    let root = places::scratch("image")?;
    fs::remove_dir_all(&root).about(root.display())?;
    for directory in ["etc", "proc", "sys", "dev", "old"] {
        let place = root.join(directory);
        fs::create_dir_all(&place).about(place.display())?;
    }
    fs::copy(program, root.join("picket")).about(program.display())?;
    // Static as well; takes the way back to this machine's files away, then runs the other.
    fs::copy("/bin/busybox", root.join("busybox")).about("/bin/busybox")?;
    let files = [
        ("etc/hosts", HOSTS),
        // Nobody answers there, so that an unknown name fails at once.
        ("etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
        ("named.yaml", MANIFEST),
    ];
    for (name, text) in files {
        let file = root.join(name);
        fs::write(&file, text).about(file.display())?;
    }
    Ok(root)
}

/// A command in the root, with the mounts that a runtime makes; they end with it.
fn in_root(root: &Path) -> Command {
    // A real root, not that of a chroot: the kernel programs tell paths from the root of the mount namespace.
    const ENTER: &str = "mount --bind \"$0\" \"$0\"; cd \"$0\"; mount -t proc proc proc; \
                         mount --rbind /sys sys; mount --rbind /dev dev; pivot_root . old; \
                         exec /busybox sh -ec 'cd /; /busybox umount -l /old; exec \"$0\" \"$@\"' \
                         \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-ec", ENTER]).arg(root);
    command
}

/// One name that only the root's own `/etc/hosts` knows, and one that nobody does. Static glibc reads `/etc/hosts` and asks name servers by itself since 2.34, without a library to load.
fn finds_names(root: &Path) -> Outcome {
    let mut lint = in_root(root);
    let output = lint.args(["/picket", "manifest", "lint", "--host", "/named.yaml"]).output();
    let output = output.about("the binary in its root")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let misses = |name: &str| said.contains(&format!("`{name}` has no address"));
    if misses("unknown.picket.test") && !misses("known.picket.test") {
        return Ok(());
    }
    Err(Failure::new(format!("one name of two is known there, and it says\n{said}")))
}

fn loads(root: &Path) -> Outcome {
    let mut doctor = in_root(root);
    let output = doctor.args(["/picket", "doctor"]).output().about("the binary in its root")?;
    let said = String::from_utf8_lossy(&output.stdout);
    match said.lines().find(|line| line.contains("Self-test")) {
        Some(line) if line.contains("passed") => {
            println!("    {}", line.trim());
            Ok(())
        }
        _ => Err(Failure::new(format!("doctor says there\n{said}"))),
    }
}
