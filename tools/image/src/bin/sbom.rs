//! Writes the list of what a program is made of, as CycloneDX, from `cargo tree` and `Cargo.lock`.
//!
//! `cargo tree -p NAME -e normal,no-proc-macro --prefix none -f '{p}|{l}' | sbom --lock Cargo.lock --revision … > NAME.cdx.json`
//!
//! The programs that do this for cargo would have to be installed first, by everybody who builds the image.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use serde_json::{Value, json};

/// Write a CycloneDX list of parts, from `cargo tree` on standard input. The first line is the program itself.
#[derive(Parser)]
struct Arguments {
    /// Cargo.lock, for the checksums.
    #[arg(long)]
    lock: PathBuf,
    /// Source revision of the program.
    #[arg(long)]
    revision: String,
    /// The compiler, whose standard library is part of it.
    #[arg(long)]
    rustc: String,
    /// The C library that is part of it.
    #[arg(long)]
    libc: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let lock = std::fs::read_to_string(&arguments.lock).context("can't read Cargo.lock")?;
    let mut tree = String::new();
    std::io::stdin().read_to_string(&mut tree)?;
    let document = document(&arguments, &tree, &checksums(&lock))?;
    let text = serde_json::to_string_pretty(&document)? + "\n";
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Checksums by name and version.
fn checksums(lock: &str) -> BTreeMap<(String, String), String> {
    let field = |block: &str, name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
        line.strip_suffix('"').map(str::to_owned)
    };
    let packages = lock.split("[[package]]").skip(1);
    packages
        .filter_map(|block| {
            Some(((field(block, "name")?, field(block, "version")?), field(block, "checksum")?))
        })
        .collect()
}

fn document(
    arguments: &Arguments,
    tree: &str,
    checksums: &BTreeMap<(String, String), String>,
) -> anyhow::Result<Value> {
    let mut lines = tree.lines().filter(|line| !line.is_empty()).map(package);
    let (name, version, license) = lines.next().context("cargo tree says nothing")??;
    let parts: BTreeSet<_> = lines.collect::<Result<_, _>>()?;
    let mut components: Vec<Value> = parts
        .iter()
        .map(|(name, version, license)| {
            let mut part = json!({
                "type": "library", "name": name, "version": version,
                "purl": format!("pkg:cargo/{name}@{version}"), "bom-ref": format!("pkg:cargo/{name}@{version}"),
            });
            if !license.is_empty() {
                part["licenses"] = json!([{"expression": license.replace('/', " OR ")}]);
            }
            if let Some(checksum) = checksums.get(&(name.clone(), version.clone())) {
                part["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
            }
            part
        })
        .collect();
    components.push(linked("rust-std", &arguments.rustc, "rust-lang:rust"));
    // `getconf GNU_LIBC_VERSION` says `glibc 2.36`.
    let (libc, libc_version) = arguments.libc.split_once(' ').context("the C library's name and version")?;
    components.push(linked(libc, libc_version, "gnu:glibc"));
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {
            "type": "application", "name": name, "version": version,
            "licenses": [{"expression": license}],
            "properties": [{"name": "revision", "value": arguments.revision}],
        }},
        "components": components,
    }))
}

/// A part that is linked into the program and that no package manager knows. In an image without a package database, this entry is all by which a
/// scanner can find its vulnerabilities: by the package URL, or by the name that the National Vulnerability Database has.
fn linked(name: &str, version: &str, product: &str) -> Value {
    let purl = format!("pkg:generic/{name}@{version}");
    json!({
        "type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl,
        "cpe": format!("cpe:2.3:a:{product}:{version}:*:*:*:*:*:*:*"),
    })
}

/// `NAME vVERSION (more)|LICENSE`, perhaps marked as a repetition.
fn package(line: &str) -> anyhow::Result<(String, String, String)> {
    let (package, license) = line.split_once('|').with_context(|| format!("no license field: {line}"))?;
    let mut words = package.split_whitespace();
    let name = words.next().context("no name")?;
    let version = words.next().and_then(|word| word.strip_prefix('v')).context("no version")?;
    Ok((name.to_owned(), version.to_owned(), license.trim_end_matches("(*)").trim().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn is_every_part_listed_once_with_its_checksum_and_license() {
        let tree = "app v1.0.0 (/src)|Apache-2.0\n\nserde v1.2.3|MIT OR Apache-2.0\nold v0.1.0|MIT/ISC\nserde v1.2.3|MIT OR \
                    Apache-2.0 (*)\n";
        let lock = "version = 4\n[[package]]\nname = \"serde\"\nversion = \"1.2.3\"\nchecksum = \"abc\"\n";
        let text = |text: &str| text.to_owned();
        let arguments = Arguments {
            lock: PathBuf::new(),
            revision: text("r"),
            rustc: text("1.95.0"),
            libc: text("glibc 2.36"),
        };
        let document = document(&arguments, tree, &checksums(lock)).unwrap();
        let parts: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
        assert_eq!(parts, ["old", "serde", "rust-std", "glibc"]);
        let named: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|part| &part["purl"]).collect();
        let expected = [
            "pkg:cargo/old@0.1.0",
            "pkg:cargo/serde@1.2.3",
            "pkg:generic/rust-std@1.95.0",
            "pkg:generic/glibc@2.36",
        ];
        assert_eq!(named, expected);
        assert_eq!(document["components"][3]["cpe"], "cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*");
        assert_eq!(document["components"][1]["hashes"][0]["content"], "abc");
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR ISC");
        assert_eq!(document["metadata"]["component"]["name"], "app");
    }
}
