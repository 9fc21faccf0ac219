//! Programs of Debian's packages, unpacked and not installed, so that nothing is started on this machine and nothing has to be
//! removed from it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::oci;
use crate::process::run;
use crate::say::say;

/// Programs, and the packages that hold them.
pub struct Programs {
    /// A folder of the target folder, and the name for people.
    pub name: &'static str,
    /// The packages, those included that a minimal system lacks.
    pub packages: &'static [&'static str],
    /// The folder in the packages that holds the programs.
    pub folder: &'static str,
    /// The programs that are wanted.
    pub programs: &'static [&'static str],
    /// What is fetched, in MB.
    pub size: u32,
}

impl Programs {
    /// The folder that holds them, on the PATH or unpacked.
    ///
    /// # Errors
    /// Where they are neither on the PATH nor to be had from a package, with what to do about it.
    pub fn ensure(&self, target: &Path) -> Result<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if let Some(folder) = std::env::split_paths(&path).find(|folder| self.complete(folder)) {
            return Ok(folder);
        }
        let done = target.join(self.name);
        let programs = done.join(self.folder);
        if self.complete(&programs) {
            return Ok(programs);
        }
        let _lock = lock(target, self.name)?;
        if !self.complete(&programs) {
            self.unpack(&done).with_context(|| {
                let all = self.programs.join("` and `");
                format!(
                    "there is no {}: install it (Debian's and Ubuntu's package is `{}`) and have `{all}` on the PATH",
                    self.name, self.packages[0]
                )
            })?;
        }
        Ok(programs)
    }

    fn complete(&self, folder: &Path) -> bool {
        self.programs.iter().all(|program| folder.join(program).is_file())
    }

    fn unpack(&self, done: &Path) -> Result<()> {
        say(&format!(
            "fetching Debian's package of {} ({} MB), without installing it …",
            self.name, self.size
        ));
        unpack(done, |archives| {
            let mut command = Command::new("apt-get");
            command.current_dir(archives).arg("download").args(self.packages);
            command
        })
    }
}

/// Packages with all that they need and this machine lacks, unpacked into a folder of the target folder.
///
/// # Errors
/// Where apt can't fetch them.
pub fn with_dependencies(name: &str, packages: &[&str], target: &Path) -> Result<PathBuf> {
    let done = target.join(name);
    let _lock = lock(target, name)?;
    if done.is_dir() {
        return Ok(done);
    }
    say(&format!("fetching Debian's packages {}, without installing them …", packages.join(", ")));
    unpack(&done, |archives| {
        let mut command = Command::new("apt-get");
        command.args(["install", "--download-only", "--yes", "--no-install-recommends", "-o"]);
        command.arg(format!("Dir::Cache::archives={}", archives.display())).args(packages);
        command
    })?;
    Ok(done)
}

/// Programs with the libraries that they load at their start, as the files of an image. Each is taken from the folder, or
/// else from this machine.
///
/// # Errors
/// Where one is not there, or `ldd` does not know one of its libraries.
pub fn program_files(root: &Path, programs: &[&str]) -> Result<Vec<oci::File>> {
    let folders = ["usr/lib", "lib"]
        .map(|lib| root.join(format!("{lib}/{}-linux-gnu", std::env::consts::ARCH)).display().to_string());
    let mut paths = BTreeSet::new();
    for program in programs {
        let path = Some(root.join(program)).filter(|path| path.is_file());
        let path = path.unwrap_or_else(|| Path::new("/").join(program));
        let told = run(Command::new("ldd").arg(&path).env("LD_LIBRARY_PATH", folders.join(":")))?;
        ensure!(!told.contains("not found"), "{} lacks a library: {told}", path.display());
        let libraries = told.split_whitespace().filter(|word| word.starts_with('/'));
        paths.extend(libraries.map(PathBuf::from));
        paths.insert(path);
    }
    let file = |path: PathBuf| -> Result<oci::File> {
        let inside = path.strip_prefix(root).or_else(|_| path.strip_prefix("/"))?;
        let content = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(oci::File { path: inside.to_string_lossy().into_owned(), content, mode: 0o755 })
    };
    paths.into_iter().map(file).collect()
}

/// Locks the folder of that name in the target folder, until it is dropped.
fn lock(target: &Path, name: &str) -> Result<File> {
    fs::create_dir_all(target)?;
    let lock = File::create(target.join(format!("{name}.lock")))?;
    lock.lock()?;
    Ok(lock)
}

/// Unpacks what this command of apt downloads into a folder. `done` appears by one rename.
fn unpack(done: &Path, download: impl Fn(&Path) -> Command) -> Result<()> {
    let temporary = done.with_extension("unfinished");
    let _ = fs::remove_dir_all(&temporary);
    let _ = fs::remove_dir_all(done);
    let (archives, root) = (temporary.join("archives"), temporary.join("root"));
    // apt wants a folder of its own in there.
    fs::create_dir_all(archives.join("partial"))?;
    fs::create_dir_all(&root)?;
    if run(&mut download(&archives)).is_err() {
        // The lists may be missing or old.
        run(Command::new("apt-get").arg("update"))?;
        run(&mut download(&archives))?;
    }
    for entry in fs::read_dir(&archives)? {
        let package = entry?.path();
        if package.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&root))?;
        }
    }
    fs::rename(root, done)?;
    fs::remove_dir_all(&temporary)?;
    Ok(())
}
