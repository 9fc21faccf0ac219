//! Programs of Debian's packages, unpacked and not installed, so that nothing is started on this machine and nothing has to be
//! removed from it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

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
        fs::create_dir_all(target)?;
        let lock = File::create(target.join(format!("{}.lock", self.name)))?;
        lock.lock()?;
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
        let temporary = done.with_extension("unfinished");
        let _ = fs::remove_dir_all(&temporary);
        let _ = fs::remove_dir_all(done);
        fs::create_dir_all(temporary.join("root"))?;
        say(&format!(
            "fetching Debian's package of {} ({} MB), without installing it …",
            self.name, self.size
        ));
        let download =
            || run(Command::new("apt-get").current_dir(&temporary).arg("download").args(self.packages));
        if download().is_err() {
            // The lists may be missing or old.
            run(Command::new("apt-get").arg("update"))?;
            download()?;
        }
        let packages = fs::read_dir(&temporary)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
        for package in packages {
            run(Command::new("dpkg-deb").arg("--extract").arg(package).arg(temporary.join("root")))?;
        }
        fs::rename(temporary.join("root"), done)?;
        fs::remove_dir_all(&temporary)?;
        Ok(())
    }
}
