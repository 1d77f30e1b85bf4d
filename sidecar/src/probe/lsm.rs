//! The LSM programs: one makes the tier, the others come with it.

use aya::{
    Btf as LoaderBtf, Ebpf,
    programs::{Lsm, Program, ProgramError, lsm::LsmLink},
};

use super::{
    btf::Btf,
    complaint::{reason, refused},
    links::{Links, kept},
    load::LoadError,
};

/// The one whose refusal means that this kernel has no such tier.
const FIRST: &str = "file_open";

/// Hooks that every kernel with the tier has.
const REQUIRED: [&str; 18] = [
    "file_mprotect",
    "file_receive",
    "mmap_file",
    "path_chmod",
    "path_chown",
    "path_link",
    "path_mkdir",
    "path_mknod",
    "path_rename",
    "path_rmdir",
    "path_symlink",
    "path_truncate",
    "path_unlink",
    "ptrace_access_check",
    "socket_create",
    "task_kill",
    "unix_may_send",
    "unix_stream_connect",
];

/// Hooks that came later. Without one, what it sees is seen in part: `docs/kernels.md` says what is missing.
const OPTIONAL: [&str; 1] = ["userns_create"];

/// What the running kernel has of them.
#[derive(Clone, Debug, Default)]
pub(super) struct LsmHooks {
    attached: Vec<&'static str>,
    lacking: Vec<&'static str>,
}

impl LsmHooks {
    /// Which of the hooks this kernel has, by its type information.
    pub(super) fn of(btf: &Btf) -> Self {
        let is_there = |hook: &&str| btf.function_prototype(&format!("bpf_lsm_{hook}")).is_ok();
        let (there, lacking) = OPTIONAL.into_iter().partition(is_there);
        Self { attached: there, lacking }
    }

    /// Programs that are attached, or to be attached, in the tier `lsm`.
    pub(super) fn attached(&self) -> Vec<&'static str> {
        [&[FIRST], REQUIRED.as_slice(), &self.attached].concat()
    }

    /// Hooks that this kernel does not have.
    pub(super) fn lacking(&self) -> &[&'static str] {
        &self.lacking
    }

    /// Attaches them, or says what the kernel answered to the first.
    ///
    /// # Errors
    /// The first is attached and another is refused: then this kernel differs from all that are known.
    pub(super) fn attach(
        &self,
        ebpf: &mut Ebpf,
        btf: &LoaderBtf,
        links: &Links,
    ) -> Result<Result<(), String>, LoadError> {
        for name in self.attached() {
            let error = match attach(program(ebpf, name)?, name, btf) {
                Ok(link) => {
                    kept(name, links.keep(name, link.into()))?;
                    continue;
                }
                Err(error) => error,
            };
            self.detach(ebpf, links)?;
            return if name == FIRST {
                Ok(Err(format!("the kernel refuses LSM programs: {}", reason(&error))))
            } else {
                Err(refused(name, &error))
            };
        }
        Ok(Ok(()))
    }

    /// Programs that load and cannot be attached, or are and do not run, must not stay half there.
    ///
    /// # Errors
    /// The object has no such program.
    pub(super) fn detach(&self, ebpf: &mut Ebpf, links: &Links) -> Result<(), LoadError> {
        for name in self.attached() {
            links.let_go(name);
            match program(ebpf, name)?.unload() {
                // Those behind the one that was refused.
                Ok(()) | Err(ProgramError::NotLoaded) => {}
                Err(error) => tracing::debug!(%error, name, "unloading an LSM program"),
            }
        }
        Ok(())
    }
}

fn attach(program: &mut Lsm, hook: &str, btf: &LoaderBtf) -> Result<LsmLink, ProgramError> {
    program.load(hook, btf)?;
    let id = program.attach()?;
    program.take_link(id)
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Lsm, LoadError> {
    match ebpf.program_mut(name) {
        Some(Program::Lsm(program)) => Ok(program),
        _ => Err(LoadError::Missing { what: name }),
    }
}
