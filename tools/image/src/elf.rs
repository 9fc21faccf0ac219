//! Looks at an executable: for which processor is it, and does it run without any other file?

use std::fmt;

use anyhow::{Context as _, bail, ensure};

/// A processor architecture, displayed as images name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Architecture {
    /// x86-64.
    Amd64,
    /// AArch64.
    Arm64,
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        })
    }
}

/// Program header type of the path to the dynamic loader; a static executable has none.
const PT_INTERP: u32 = 3;

/// The architecture of a static executable.
///
/// # Errors
/// When it isn't one, says what it is and what to do.
pub fn check(content: &[u8]) -> anyhow::Result<Architecture> {
    ensure!(content.starts_with(b"\x7fELF"), "it isn't a Linux executable (ELF)");
    // Class 2 is 64-bit, data 1 is little-endian.
    ensure!(content.get(4..6) == Some(&[2, 1]), "it isn't a 64-bit little-endian executable");
    let architecture = match number(content, 18, 2)? {
        62 => Architecture::Amd64,
        183 => Architecture::Arm64,
        other => bail!("it is for a processor this tool doesn't know (ELF machine {other})"),
    };
    if let Some(loader) = loader(content)? {
        bail!(
            "it needs {loader} at run time, which an image from nothing doesn't have: build it with \
             RUSTFLAGS=\"-C target-feature=+crt-static\" and --target"
        );
    }
    Ok(architecture)
}

/// The path of the dynamic loader that the executable asks for.
fn loader(content: &[u8]) -> anyhow::Result<Option<String>> {
    let table = number(content, 32, 8)?;
    let entry_size = number(content, 54, 2)?;
    let entries = number(content, 56, 2)?;
    for index in 0..entries {
        let entry = index
            .checked_mul(entry_size)
            .and_then(|offset| offset.checked_add(table))
            .context("it is damaged: its program headers lie nowhere")?;
        if number(content, entry, 4)? == u64::from(PT_INTERP) {
            let start = usize::try_from(number(content, entry.saturating_add(8), 8)?)?;
            let path = content.get(start..).unwrap_or_default();
            let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

/// A little-endian number of `width` bytes at `offset`.
fn number(content: &[u8], offset: u64, width: usize) -> anyhow::Result<u64> {
    let start = usize::try_from(offset)?;
    let bytes = start.checked_add(width).and_then(|end| content.get(start..end));
    let bytes = bytes.context("it is damaged: it ends too early")?;
    Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The smallest thing that passes for a static executable, or for one that needs `loader`.
    pub fn executable(machine: u16, loader: Option<&str>) -> Vec<u8> {
        let mut elf = vec![0; 64];
        elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
        elf[18..20].copy_from_slice(&machine.to_le_bytes());
        if let Some(loader) = loader {
            elf[32] = 64;
            elf[54] = 56;
            elf[56] = 1;
            let mut header = vec![0; 56];
            header[0] = 3;
            header[8] = 120;
            elf.extend(header);
            elf.extend(loader.as_bytes());
            elf.push(0);
        }
        elf
    }

    #[test]
    fn static_executables_are_told_apart_by_processor() {
        assert_eq!(check(&executable(62, None)).unwrap(), Architecture::Amd64);
        assert_eq!(check(&executable(183, None)).unwrap(), Architecture::Arm64);
    }

    #[test]
    fn a_dynamic_executable_is_refused_with_advice() {
        let error = check(&executable(62, Some("/lib64/ld-linux-x86-64.so.2"))).unwrap_err().to_string();
        assert!(error.contains("needs /lib64/ld-linux-x86-64.so.2 at run time"), "{error}");
        assert!(error.contains("+crt-static"), "{error}");
    }

    #[test]
    fn this_test_is_a_dynamic_executable() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&own).is_err(), !cfg!(target_feature = "crt-static"));
    }

    #[test]
    fn other_files_are_refused() {
        for content in [&b""[..], b"#!/bin/sh\n", b"\x7fELF", b"\x7fELF\x01\x01", &executable(8, None)] {
            assert!(check(content).is_err());
        }
        let whole = executable(62, Some("/lib/ld.so"));
        for length in 0..120 {
            assert!(check(&whole[..length]).is_err(), "{length} bytes of a dynamic executable");
        }
    }
}
