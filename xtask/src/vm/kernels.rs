//! Finds Debian's newest cloud kernel of a series and keeps its image in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, About, Failure, Outcome};
use crate::{apt, places};

/// A kernel one can boot.
#[derive(Debug)]
pub(super) struct Kernel {
    /// Name and version of the package.
    pub(super) name: String,
    pub(super) image: PathBuf,
}

/// The newest kernel of `series`, downloaded unless it is in the cache.
pub(super) fn newest(series: &str) -> Outcome<Kernel> {
    let kernel = match offered(series)? {
        Some(kernel) => kernel,
        None => refreshed(series)?,
    };
    if kernel.image.exists() {
        return Ok(kernel);
    }
    shell::step(&format!("downloading {}", kernel.name), || {
        if download(&kernel).is_ok() {
            return Ok(kernel);
        }
        // A list of yesterday names files that have been replaced today.
        let kernel = refreshed(series)?;
        download(&kernel)?;
        Ok(kernel)
    })
}

/// What apt offers once it has asked again.
fn refreshed(series: &str) -> Outcome<Kernel> {
    if !apt::is_root()? {
        return Err(Failure::new(format!(
            "apt's lists name no cloud kernel {series} that can be downloaded; run: sudo apt-get \
             update"
        )));
    }
    apt::update_once()?;
    offered(series)?.ok_or_else(|| Failure::new(format!("apt offers no cloud kernel {series}")))
}

/// The newest package of a series in apt's lists.
fn offered(series: &str) -> Outcome<Option<Kernel>> {
    let pattern = format!("^linux-image-{}\\..*-cloud-amd64-unsigned$", series.replace('.', "\\."));
    let listed =
        shell::capture(Command::new("apt-cache").args(["search", "--names-only", &pattern]))?;
    let packages = listed.lines().filter_map(|line| line.split(' ').next());
    let Some(package) = packages.max_by_key(|package| numbers(package)) else {
        return Ok(None);
    };
    let shown =
        shell::capture(Command::new("apt-cache").args(["show", "--no-all-versions", package]))?;
    let version = shown
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .ok_or_else(|| Failure::new(format!("apt-cache shows no version of {package}")))?;
    let image = places::cache("kernels")?.join(format!("{package}_{version}.vmlinuz"));
    Ok(Some(Kernel { name: package.to_owned(), image }))
}

/// The numbers in a package's name: versions compare by number, not by letter.
fn numbers(package: &str) -> Vec<u64> {
    package.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

fn download(kernel: &Kernel) -> Outcome {
    let place = places::scratch("vm/download")?;
    fs::remove_dir_all(&place).about(place.display())?;
    fs::create_dir_all(&place).about(place.display())?;
    shell::capture(
        Command::new("apt-get").args(["-qq", "download", &kernel.name]).current_dir(&place),
    )?;
    let archive = only_file(&place, |name| name.ends_with(".deb"))?;
    let tree = place.join("tree");
    shell::capture(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(&tree))?;
    let image = only_file(&tree.join("boot"), |name| name.starts_with("vmlinuz-"))?;
    // Copied beside its place and then renamed: an interrupted download leaves no half kernel.
    let partial = kernel.image.with_extension("partial");
    fs::copy(&image, &partial).about(partial.display())?;
    fs::rename(&partial, &kernel.image).about(kernel.image.display())?;
    fs::remove_dir_all(&place).about(place.display())
}

fn only_file(place: &Path, wanted: impl Fn(&str) -> bool) -> Outcome<PathBuf> {
    fs::read_dir(place)
        .about(place.display())?
        .filter_map(Result::ok)
        .find(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .ok_or_else(|| Failure::new(format!("{} lacks the file looked for", place.display())))
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn a_kernel_with_a_larger_number_is_newer_even_with_fewer_digits_before_it() {
        let older = "linux-image-6.12.99+deb12-cloud-amd64-unsigned";
        let newer = "linux-image-6.12.117+deb12-cloud-amd64-unsigned";
        assert!(numbers(older) < numbers(newer));
        assert!(older > newer, "the order of letters would have chosen the other one");
    }
}
