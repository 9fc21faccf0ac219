//! Writes where the files of a release come from: an in-toto statement with SLSA's provenance, version 1.
//!
//! `provenance --revision COMMIT --lock Cargo.lock --tool rustc=1.95.0 … FILE… > FILE.intoto.json`
//!
//! It names no time and no machine, so two builds of one commit give the same bytes.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Parser;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// What a reader may assume about how the files were made. Told apart by this name, not read from there.
const BUILD_TYPE: &str = "https://bluegreen.dev/make-release/v1";

/// Write an in-toto statement with SLSA provenance about files to standard output.
#[derive(Parser)]
struct Arguments {
    /// Commit that the files were built from.
    #[arg(long)]
    revision: String,
    /// Where that commit can be had.
    #[arg(long)]
    source: String,
    /// Who ran the build, as a URI.
    #[arg(long)]
    builder: String,
    /// Cargo.lock, which names every crate and its checksum.
    #[arg(long)]
    lock: PathBuf,
    /// Parameter that whoever ran the build has chosen; repeat for more.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Program that built the files, or that is linked into them; repeat for more.
    #[arg(long = "tool", value_name = "NAME=VERSION", value_parser = pair)]
    tools: Vec<(String, String)>,
    /// Digest of the container image, which is the name that a registry has for it.
    #[arg(long, value_name = "NAME=sha256:DIGEST", value_parser = pair)]
    image: Option<(String, String)>,
    /// The files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&statement(&Arguments::parse())?)? + "\n";
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn statement(arguments: &Arguments) -> anyhow::Result<Value> {
    let mut subjects = arguments.files.iter().map(|path| subject(path)).collect::<Result<Vec<_>, _>>()?;
    if let Some((name, digest)) = &arguments.image {
        let digest = digest.strip_prefix("sha256:").context("the image's digest begins with sha256:")?;
        subjects.push(json!({"name": name, "digest": {"sha256": digest}}));
    }
    let map = |pairs: &[(String, String)]| -> Map<String, Value> {
        pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    };
    let mut parameters = map(&arguments.parameters);
    parameters.insert("source".to_owned(), json!(arguments.source));
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "internalParameters": {},
                "resolvedDependencies": [
                    {"uri": arguments.source, "digest": {"gitCommit": arguments.revision}},
                    {"name": "Cargo.lock", "digest": {"sha256": digest(&arguments.lock)?}},
                ],
            },
            "runDetails": {"builder": {"id": arguments.builder, "version": map(&arguments.tools)}},
        },
    }))
}

fn subject(path: &Path) -> anyhow::Result<Value> {
    let name = path.file_name().context("a file has a name")?.to_string_lossy();
    Ok(json!({"name": name, "digest": {"sha256": digest(path)?}}))
}

fn digest(path: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("must be NAME=VALUE")?;
    Ok((pair.0.to_owned(), pair.1.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn does_the_statement_name_every_file_by_what_is_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name).display().to_string()
        };
        let (one, lock) = (file("one.yaml", "one"), file("Cargo.lock", "lock"));
        let image = format!("app=sha256:{}", "ab".repeat(32));
        let line = ["provenance", "--revision", "c0ffee", "--source", "git+https://example.com/app"];
        let rest =
            ["--builder", "urn:me", "--lock", &lock, "--tool", "rustc=1.95.0", "--image", &image, &one];
        let statement = statement(&Arguments::parse_from(line.into_iter().chain(rest))).unwrap();
        // `printf one | sha256sum`
        let digest = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert_eq!(statement["subject"][0], json!({"name": "one.yaml", "digest": {"sha256": digest}}));
        assert_eq!(statement["subject"][1]["digest"]["sha256"], "ab".repeat(32));
        let built = &statement["predicate"]["buildDefinition"];
        assert_eq!(built["resolvedDependencies"][0]["digest"]["gitCommit"], "c0ffee");
        assert_eq!(statement["predicate"]["runDetails"]["builder"]["version"]["rustc"], "1.95.0");
    }
}
