//! Writes the list of what a program is made of, as CycloneDX, from `cargo tree` and `Cargo.lock`. It has the minimum elements that the
//! NTIA names: for each part its supplier, name, version, a unique name and what it depends on; the author and the time of the list.
//!
//! `cargo tree -p NAME -e normal,no-proc-macro --prefix depth -f '|{p}|{l}|{r}' | sbom --lock Cargo.lock --revision … > NAME.cdx.json`
//!
//! The programs that do this for cargo would have to be installed first, by everybody who builds the image.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser;
use jiff::Timestamp;
use serde_json::{Value, json};

/// Who makes the program, and its list of parts.
const MAKERS: &str = "The bluegreen-operator maintainers";

/// Write a CycloneDX list of parts, from `cargo tree` on standard input. The first line is the program itself.
#[derive(Parser)]
struct Arguments {
    /// Cargo.lock, for the checksums.
    #[arg(long)]
    lock: PathBuf,
    /// Source revision of the program.
    #[arg(long)]
    revision: String,
    /// Time of the list, in seconds since 1970. The time of the commit, so that the same commit gives the same list.
    #[arg(long, value_name = "SECONDS")]
    created: i64,
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
    let mut parts: BTreeSet<Part> = BTreeSet::new();
    let mut depends: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut program = None;
    // From the program down to the part of the line before.
    let mut path: Vec<String> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let (depth, part) = package(line)?;
        anyhow::ensure!(depth <= path.len(), "no part above: {line}");
        path.truncate(depth);
        depends.entry(part.url()).or_default();
        if let Some(above) = path.last() {
            depends.entry(above.clone()).or_default().insert(part.url());
        }
        path.push(part.url());
        if program.is_none() {
            program = Some(part);
        } else {
            parts.insert(part);
        }
    }
    let program = program.context("cargo tree says nothing")?;
    let std = linked("rust-std", &arguments.rustc, "rust-lang:rust", "The Rust Project");
    // `getconf GNU_LIBC_VERSION` says `glibc 2.36`.
    let (libc, libc_version) = arguments.libc.split_once(' ').context("the C library's name and version")?;
    let libc = linked(libc, libc_version, "gnu:glibc", "The GNU Project");
    let name = |part: &Value| part["bom-ref"].as_str().unwrap_or_default().to_owned();
    depends.entry(program.url()).or_default().insert(name(&std));
    depends.insert(name(&std), BTreeSet::from([name(&libc)]));
    depends.insert(name(&libc), BTreeSet::new());
    let mut components: Vec<Value> = parts
        .iter()
        .map(|part| part.listed(checksums.get(&(part.name.clone(), part.version.clone()))))
        .collect();
    components.extend([std, libc]);
    let dependencies: Vec<Value> =
        depends.iter().map(|(part, on)| json!({"ref": part, "dependsOn": on})).collect();
    let created = Timestamp::from_second(arguments.created).context("the time of the list")?;
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {
            "timestamp": created.to_string(),
            "authors": [{"name": MAKERS}],
            "supplier": {"name": MAKERS},
            "component": {
                "type": "application", "name": program.name, "version": program.version, "bom-ref": program.url(),
                "supplier": {"name": MAKERS},
                "licenses": [{"expression": program.license}],
                "properties": [{"name": "revision", "value": arguments.revision}],
            },
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// A package of cargo.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Part {
    name: String,
    version: String,
    license: String,
    /// Where its source is developed; may be empty.
    repository: String,
}

impl Part {
    fn url(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }

    /// Its entry. A part with a checksum comes from crates.io, and every other one is of this repository.
    fn listed(&self, checksum: Option<&String>) -> Value {
        let mut entry = json!({
            "type": "library", "name": self.name, "version": self.version, "purl": self.url(), "bom-ref": self.url(),
        });
        if !self.license.is_empty() {
            entry["licenses"] = json!([{"expression": self.license.replace('/', " OR ")}]);
        }
        if !self.repository.is_empty() {
            entry["externalReferences"] = json!([{"type": "vcs", "url": self.repository}]);
        }
        entry["supplier"] = json!({"name": MAKERS});
        if let Some(checksum) = checksum {
            entry["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
            // Whoever distributes a part is its supplier for CycloneDX, too; the names of authors are not kept up there.
            entry["supplier"] = json!({"name": "crates.io", "url": ["https://crates.io"]});
        }
        entry
    }
}

/// A part that is linked into the program and that no package manager knows. In an image without a package database, this entry is all by which a
/// scanner can find its vulnerabilities: by the package URL, or by the name that the National Vulnerability Database has.
fn linked(name: &str, version: &str, product: &str, supplier: &str) -> Value {
    let purl = format!("pkg:generic/{name}@{version}");
    json!({
        "type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl,
        "cpe": format!("cpe:2.3:a:{product}:{version}:*:*:*:*:*:*:*"),
        "supplier": {"name": supplier},
    })
}

/// `DEPTH|NAME vVERSION (more)|LICENSE|REPOSITORY`, perhaps marked as a repetition: its depth and the package.
fn package(line: &str) -> anyhow::Result<(usize, Part)> {
    let fields: Vec<&str> = line.trim_end_matches("(*)").split('|').map(str::trim).collect();
    let [depth, package, license, repository] = fields[..] else { anyhow::bail!("not four fields: {line}") };
    let mut words = package.split_whitespace();
    let name = words.next().context("no name")?;
    let version = words.next().and_then(|word| word.strip_prefix('v')).context("no version")?;
    let [name, version, license, repository] = [name, version, license, repository].map(str::to_owned);
    Ok((depth.parse().context("no depth")?, Part { name, version, license, repository }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn is_every_part_listed_once_with_its_checksum_and_license() {
        let document = made();
        let parts: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|part| &part["name"]).collect();
        assert_eq!(parts, ["old", "own", "serde", "rust-std", "glibc"]);
        let named: Vec<_> =
            document["components"].as_array().unwrap().iter().map(|part| &part["purl"]).collect();
        let expected = [
            "pkg:cargo/old@0.1.0",
            "pkg:cargo/own@1.0.0",
            "pkg:cargo/serde@1.2.3",
            "pkg:generic/rust-std@1.95.0",
            "pkg:generic/glibc@2.36",
        ];
        assert_eq!(named, expected);
        assert_eq!(document["components"][4]["cpe"], "cpe:2.3:a:gnu:glibc:2.36:*:*:*:*:*:*:*");
        assert_eq!(document["components"][2]["hashes"][0]["content"], "abc");
        assert_eq!(document["components"][0]["licenses"][0]["expression"], "MIT OR ISC");
        assert_eq!(document["metadata"]["component"]["name"], "app");
    }

    /// The minimum elements of the NTIA; the parts' names and versions are in the test above.
    #[test]
    fn does_the_list_say_who_supplies_each_part_what_depends_on_it_and_who_wrote_it_when() {
        let document = made();
        let metadata = &document["metadata"];
        assert_eq!(
            [&metadata["timestamp"], &metadata["authors"][0]["name"]],
            ["2025-01-01T00:00:00Z", MAKERS]
        );
        let suppliers: Vec<_> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .chain([&metadata["component"]])
            .map(|part| part["supplier"]["name"].as_str().unwrap())
            .collect();
        let (rust, gnu) = ("The Rust Project", "The GNU Project");
        assert_eq!(suppliers, ["crates.io", MAKERS, "crates.io", rust, gnu, MAKERS]);
        let source = json!([{"type": "vcs", "url": "https://example.com/serde"}]);
        assert_eq!(document["components"][2]["externalReferences"], source);
        let (app, own) = ("pkg:cargo/app@1.0.0", "pkg:cargo/own@1.0.0");
        let (old, serde) = ("pkg:cargo/old@0.1.0", "pkg:cargo/serde@1.2.3");
        let (std, libc) = ("pkg:generic/rust-std@1.95.0", "pkg:generic/glibc@2.36");
        let graph = json!([
            {"ref": app, "dependsOn": [own, serde, std]},
            {"ref": old, "dependsOn": []},
            {"ref": own, "dependsOn": [serde]},
            {"ref": serde, "dependsOn": [old]},
            {"ref": libc, "dependsOn": []},
            {"ref": std, "dependsOn": [libc]},
        ]);
        assert_eq!(document["dependencies"], graph);
    }

    /// What `cargo tree` says: it shows a part's own parts only once.
    fn made() -> Value {
        let tree = "0|app v1.0.0 (/src)|Apache-2.0|\n\n1|own v1.0.0 (/src/own)|Apache-2.0|\n\
                    2|serde v1.2.3|MIT OR Apache-2.0|https://example.com/serde\n3|old v0.1.0|MIT/ISC|\n\
                    1|serde v1.2.3|MIT OR Apache-2.0|https://example.com/serde (*)\n";
        let lock = "version = 4\n[[package]]\nname = \"serde\"\nversion = \"1.2.3\"\nchecksum = \"abc\"\n\
                    [[package]]\nname = \"old\"\nversion = \"0.1.0\"\nchecksum = \"def\"\n";
        let text = |text: &str| text.to_owned();
        let arguments = Arguments {
            lock: PathBuf::new(),
            revision: text("r"),
            created: 1_735_689_600,
            rustc: text("1.95.0"),
            libc: text("glibc 2.36"),
        };
        document(&arguments, tree, &checksums(lock)).unwrap()
    }
}
