//! The cgroups of a cluster: one that holds all containers, so that they can be found and killed, and others with a limit of memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

const ROOT: &str = "/sys/fs/cgroup";

/// The path of the cgroup of one node, as the kubelet calls it.
pub fn path(id: &str, node: &str) -> String {
    format!("/bluegreen-{id}/{node}")
}

/// Creates the cgroup of one node, in the one hierarchy of version 2 or in each of version 1.
pub fn create(id: &str, node: &str) -> Result<()> {
    let path = path(id, node);
    let path = path.trim_start_matches('/');
    for hierarchy in hierarchies()? {
        if hierarchy.join("cgroup.controllers").is_file() && !version_1() {
            delegate(&hierarchy)?;
            fs::create_dir_all(hierarchy.join(format!("bluegreen-{id}")))?;
            delegate(&hierarchy.join(format!("bluegreen-{id}")))?;
        }
        let folder = hierarchy.join(path);
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create the cgroup {}", folder.display()))?;
    }
    Ok(())
}

/// Puts a process into a cgroup of that name with so many MiB of memory: whoever takes more is killed, as a container would be.
pub fn limit(id: &str, name: &str, pid: u32, mebibytes: u64) -> Result<()> {
    create(id, name)?;
    let path = path(id, name);
    let bytes = (mebibytes << 20).to_string();
    for hierarchy in hierarchies()? {
        let folder = hierarchy.join(path.trim_start_matches('/'));
        let limit = ["memory.max", "memory.limit_in_bytes"].map(|file| folder.join(file));
        let Some(limit) = limit.iter().find(|file| file.is_file()) else { continue };
        fs::write(limit, &bytes).with_context(|| format!("cannot write {}", limit.display()))?;
        // A kernel that does not count swap has neither.
        for (file, most) in [("memory.swap.max", "0"), ("memory.memsw.limit_in_bytes", &bytes)] {
            let file = folder.join(file);
            if file.is_file() {
                fs::write(file, most)?;
            }
        }
        return fs::write(folder.join("cgroup.procs"), pid.to_string()).context("cannot move the process");
    }
    bail!("no cgroup in {ROOT} limits memory")
}

/// Whether cgroups can be created here, and which kind there is.
pub fn check() -> Result<(), String> {
    let hierarchies = hierarchies().map_err(|error| format!("no cgroups in {ROOT}: {error}"))?;
    // Tests of one process check at the same time.
    static CHECKS: AtomicU64 = AtomicU64::new(0);
    let check = CHECKS.fetch_add(1, Ordering::Relaxed);
    let name = format!("bluegreen-check-{}-{check}", std::process::id());
    for hierarchy in hierarchies {
        let folder = hierarchy.join(&name);
        fs::create_dir(&folder)
            .map_err(|error| format!("cannot create cgroups in {}: {error}", hierarchy.display()))?;
        let _ = fs::remove_dir(folder);
    }
    Ok(())
}

/// Version 1 has a hierarchy for each controller; version 2 alone has its files at the top.
fn version_1() -> bool {
    !Path::new(ROOT).join("cgroup.controllers").is_file()
}

fn hierarchies() -> Result<Vec<PathBuf>> {
    if !version_1() {
        return Ok(vec![PathBuf::from(ROOT)]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(ROOT)? {
        let path = entry?.path();
        // Two controllers that share a hierarchy have links to it besides.
        if !path.is_symlink() && path.join("cgroup.procs").is_file() {
            found.push(path);
        }
    }
    if found.is_empty() {
        bail!("none is mounted");
    }
    Ok(found)
}

/// Version 2: children get only the controllers that their parent passes on.
fn delegate(folder: &Path) -> Result<()> {
    let available = fs::read_to_string(folder.join("cgroup.controllers"))?;
    for controller in available.split_whitespace() {
        // Some cannot be passed on; the kubelet says which one it misses.
        let _ = fs::write(folder.join("cgroup.subtree_control"), format!("+{controller}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn is_a_process_that_takes_more_than_its_limit_killed() -> Result<()> {
        if let Err(why) = check() {
            eprintln!("skipped: {why}");
            return Ok(());
        }
        let id = format!("limit-{}", std::process::id());
        // It waits for a line; dd takes its whole block at once.
        let takes = "read line; exec dd if=/dev/zero of=/dev/null bs=64M count=1";
        let mut child = Command::new("sh").args(["-c", takes]).stdin(Stdio::piped()).spawn()?;
        let limited = limit(&id, "one", child.id(), 16);
        child.stdin.take().context("stdin")?.write_all(b"go\n")?;
        let ended = child.wait()?;
        for hierarchy in hierarchies()? {
            let of_all = hierarchy.join(format!("bluegreen-{id}"));
            fs::remove_dir(of_all.join("one"))?;
            fs::remove_dir(of_all)?;
        }
        limited?;
        assert_eq!(ended.signal(), Some(9), "{ended}");
        Ok(())
    }
}
