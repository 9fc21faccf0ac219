//! What is in an archive, read back without the code that wrote it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::BTreeMap,
    io::Read as _,
    path::{Path, PathBuf},
};

use bluegreen_image::{Image, Reference};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A stand-in for a static executable for the given ELF machine.
fn binary(folder: &Path, name: &str, machine: u8) -> PathBuf {
    let mut elf = vec![0; 4096];
    elf[..6].copy_from_slice(b"\x7fELF\x02\x01");
    elf[18] = machine;
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, elf).unwrap();
    path
}

fn hello(folder: &Path) -> Image {
    let mut image = Image::new(Reference::parse("hello", "v1.0.0").unwrap());
    image.binaries.push(binary(folder, "hello", 62));
    image.env.push(("VERSION".into(), "v1.0.0".into()));
    image.labels.insert("k".into(), "v".into());
    image.ports.insert(8888);
    image
}

fn read(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().to_str().unwrap().to_owned(), content)
    });
    entries.collect()
}

fn json(content: &[u8]) -> Value {
    serde_json::from_slice(content).unwrap()
}

/// The content that a descriptor points to, its size and digest checked.
fn follow<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
    let digest = descriptor["digest"].as_str().unwrap();
    let content = &files[&format!("blobs/{}", digest.replace(':', "/"))];
    assert_eq!(descriptor["size"], content.len());
    assert_eq!(digest, sha256(content));
    content
}

fn sha256(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[test]
fn every_pointer_in_the_layout_holds() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("new/folder/hello.tar");
    let written = hello(folder.path()).write(&output).unwrap();
    assert_eq!(written.platforms, ["linux/amd64"]);
    assert_eq!(written.size, output.metadata().unwrap().len());

    let files = read(&output);
    assert_eq!(json(&files["oci-layout"]), json!({"imageLayoutVersion": "1.0.0"}));
    let index = json(&files["index.json"]);
    assert_eq!(index["manifests"].as_array().unwrap().len(), 1);
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], *written.digest);
    assert_eq!(
        entry["annotations"],
        json!({
            "io.containerd.image.name": "docker.io/library/hello:v1.0.0",
            "org.opencontainers.image.ref.name": "v1.0.0",
        })
    );

    let manifest = json(follow(&files, entry));
    let config = json(follow(&files, &manifest["config"]));
    assert_eq!((&config["architecture"], &config["os"]), (&json!("amd64"), &json!("linux")));
    assert_eq!(config["created"], "1970-01-01T00:00:00Z");
    assert_eq!(
        config["config"],
        json!({
            "User": "65532:65532",
            "ExposedPorts": {"8888/tcp": {}},
            "Env": ["VERSION=v1.0.0"],
            "Entrypoint": ["/hello"],
            "WorkingDir": "/",
            "Labels": {"k": "v"},
        })
    );

    let mut layer = Vec::new();
    flate2::read::GzDecoder::new(follow(&files, &manifest["layers"][0])).read_to_end(&mut layer).unwrap();
    assert_eq!(config["rootfs"]["diff_ids"], json!([sha256(&layer)]));
    let mut layer = tar::Archive::new(&layer[..]);
    let entries: Vec<_> = layer
        .entries()
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            (path, header.mode().unwrap(), header.uid().unwrap(), header.mtime().unwrap(), entry.size())
        })
        .collect();
    assert_eq!(entries, [("hello".to_owned(), 0o755, 0, 0, 4096)]);

    let docker = json(&files["manifest.json"]);
    assert_eq!(docker[0]["RepoTags"], json!(["docker.io/library/hello:v1.0.0"]));
    assert!(files.contains_key(docker[0]["Config"].as_str().unwrap()));
    assert!(files.contains_key(docker[0]["Layers"][0].as_str().unwrap()));
    assert_eq!(files.len(), 6, "nothing else: {:?}", files.keys());
}

#[test]
fn the_same_input_gives_the_same_bytes_anywhere() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let write = |folder: &Path| {
        let output = folder.join("hello.tar");
        let written = hello(folder).write(&output).unwrap();
        (written, std::fs::read(output).unwrap())
    };
    let first = write(one.path());
    // Time stamps of files have a second's resolution in an archive; mode bits of the source don't matter either.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, write(other.path()));
}

#[test]
fn another_version_is_another_image_with_the_same_layer() {
    let folder = tempfile::tempdir().unwrap();
    let layer = |version: &str| {
        let output = folder.path().join(format!("{version}.tar"));
        let mut image = hello(folder.path());
        image.env = vec![("VERSION".into(), version.into())];
        let digest = image.write(&output).unwrap().digest;
        let files = read(&output);
        let manifest = json(follow(&files, &json(&files["index.json"])["manifests"][0]));
        (digest, manifest["layers"].clone())
    };
    let (one, two) = (layer("v1.0.0"), layer("v2.0.0"));
    assert_ne!(one.0, two.0);
    assert_eq!(one.1, two.1);
}

#[test]
fn binaries_of_two_architectures_make_one_image_for_two_platforms() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("hello.tar");
    let mut image = hello(folder.path());
    image.binaries.push(binary(folder.path(), "arm/hello", 183));
    let written = image.write(&output).unwrap();
    assert_eq!(written.platforms, ["linux/amd64", "linux/arm64"]);
    let files = read(&output);
    let top = json(&files["index.json"]);
    assert_eq!(top["manifests"][0]["digest"], *written.digest);
    let index = json(follow(&files, &top["manifests"][0]));
    let platforms: Vec<_> = index["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            follow(&files, entry);
            entry["platform"]["architecture"].as_str().unwrap()
        })
        .collect();
    assert_eq!(platforms, ["amd64", "arm64"]);
}

#[test]
fn an_uncompressed_layer_is_its_own_diff() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("hello.tar");
    let mut image = hello(folder.path());
    image.compress = false;
    image.write(&output).unwrap();
    let files = read(&output);
    let manifest = json(follow(&files, &json(&files["index.json"])["manifests"][0]));
    let config = json(follow(&files, &manifest["config"]));
    assert_eq!(manifest["layers"][0]["digest"], config["rootfs"]["diff_ids"][0]);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar");
}

#[test]
fn mistakes_are_named_and_leave_the_old_archive_alone() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("hello.tar");
    std::fs::write(&output, "old").unwrap();
    let script = folder.path().join("script");
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    let twice = folder.path().join("again/hello");
    binary(folder.path(), "again/hello", 62);

    type Mistake = (&'static str, Box<dyn Fn(&mut Image)>);
    let mistakes: Vec<Mistake> = vec![
        ("at least one binary", Box::new(|image| image.binaries.clear())),
        ("isn't a Linux executable", Box::new(move |image| image.binaries.push(script.clone()))),
        ("would both be /hello", Box::new(move |image| image.binaries.push(twice.clone()))),
        ("could not read", Box::new(|image| image.binaries.push("nowhere".into()))),
        ("UID or UID:GID", Box::new(|image| image.user = "nobody".into())),
        ("VERSION is given twice", Box::new(|image| image.env.push(("VERSION".into(), "2".into())))),
        ("before 1970", Box::new(|image| image.created = -1)),
    ];
    for (expected, mistake) in mistakes {
        let mut image = hello(folder.path());
        mistake(&mut image);
        let error = format!("{:#}", image.write(&output).unwrap_err());
        assert!(error.contains(expected), "{error}");
        assert_eq!(std::fs::read(&output).unwrap(), b"old");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_command_line_prints_the_digest_alone() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("hello.tar");
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_bluegreen-image"))
        .env_remove("SOURCE_DATE_EPOCH")
        .args(["--name", "docker.io/library/hello", "--tag", "v1.0.0", "--entrypoint", "/hello"])
        .args(["--env", "VERSION=v1.0.0", "--label", "k=v", "--user", "65532:65532", "--port", "8888"])
        .arg("--binary")
        .arg(binary(folder.path(), "hello", 62))
        .arg("--output")
        .arg(&output)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let expected = hello(folder.path()).write(&folder.path().join("again.tar")).unwrap().digest;
    assert_eq!(String::from_utf8(run.stdout).unwrap(), expected + "\n");
}
