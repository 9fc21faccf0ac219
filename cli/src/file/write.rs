//! Replaces a file as a whole: a reader sees the old text or the new one, and never a part.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// Writes `after` to a file that holds `before`, with the permissions that it has. A link stays a link: its target is replaced.
///
/// # Errors
/// When the file is write-protected, holds something else by now, or can't be replaced. It is then as before.
pub fn replace(path: &Path, before: &str, after: &str) -> Result<()> {
    let target = fs::canonicalize(path)?;
    let permissions = fs::metadata(&target)?.permissions();
    ensure!(!permissions.readonly(), "it is write-protected");
    let Some(folder) = target.parent() else { bail!("it is in no folder") };
    let mut new = tempfile::Builder::new()
        .prefix(".kubectl-bluegreen-")
        .tempfile_in(folder)
        .context("no new file can be made beside it")?;
    new.write_all(after.as_bytes())?;
    new.as_file().set_permissions(permissions)?;
    new.as_file().sync_all()?;
    ensure!(fs::read(&target)? == before.as_bytes(), "it was changed meanwhile; try again");
    new.persist(&target)?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("app.yaml"), folder.path().join("link.yaml"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("app.yaml", &link).unwrap();
        replace(&link, "old", "new").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_was_changed_meanwhile_or_is_write_protected_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.yaml");
        fs::write(&file, "other").unwrap();
        assert!(replace(&file, "old", "new").unwrap_err().to_string().contains("changed meanwhile"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(replace(&file, "other", "new").unwrap_err().to_string().contains("write-protected"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
    }
}
