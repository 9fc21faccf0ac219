//! Images by the names that the manifests give, so that the manifests run as they are: nginx and php-fpm are Debian's, everything
//! else is a program that stands in and obeys the manifests' arguments (`tests/grpc/src/stand_in.rs`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bluegreen_cluster::oci::{File, Image, write_archive};
use bluegreen_cluster::{Cluster, debian, grpc, target};

/// The two versions in every manifest.
pub const VERSIONS: [&str; 2] = ["v1.0.0", "v1.1.0"];

/// Names of images, and what the program in them serves without arguments: ports by protocol.
const STAND_INS: [(&str, &[(&str, &str)]); 8] = [
    ("office/wiki", &[("HTTP", "8080")]),
    ("shop/admin", &[]),
    ("shop/catalog", &[("HTTP", "8080"), ("GRPC", "9090")]),
    ("shop/mailer", &[("HTTP", "8080")]),
    ("shop/orders", &[("HTTP", "8080,8081")]),
    ("shop/reviews", &[("HTTP", "9080")]),
    ("shop/store", &[("HTTP", "3000")]),
    ("voice/sip", &[("HTTP", "5060"), ("UDP", "5060")]),
];

const PROXY: &str = "quay.io/oauth2-proxy/oauth2-proxy:v7.12.0";

const NGINX: &str = "nginx:1.29";

const NGINX_CONF: &str = "user www-data;\nevents {}\nhttp {\n  access_log off;\n  error_log /dev/stderr;\n  default_type text/plain;\n  \
    client_body_temp_path /tmp/body;\n  fastcgi_temp_path /tmp/fastcgi;\n  proxy_temp_path /tmp/proxy;\n  \
    scgi_temp_path /tmp/scgi;\n  uwsgi_temp_path /tmp/uwsgi;\n  include /etc/nginx/conf.d/*.conf;\n}\npid /tmp/nginx.pid;\n";

const FPM_CONF: &str = "[global]\nerror_log = /proc/self/fd/2\n[www]\nuser = www-data\nlisten = 9000\npm = static\n\
    pm.max_children = 4\n";

/// Makes all of them known to the node. Returns the program that stands in, which is a client for gRPC, too.
pub async fn load(cluster: &Cluster) -> Result<PathBuf> {
    let folder = cluster.dir()?.to_path_buf();
    let made = tokio::task::spawn_blocking(move || -> Result<(PathBuf, Vec<PathBuf>)> {
        let target = target()?;
        let program = grpc::program(&target)?;
        let mut archives = stand_ins(&program, &folder)?;
        archives.extend(php(&target, &folder)?);
        Ok((program, archives))
    });
    let (program, archives) = made.await??;
    for archive in archives {
        cluster.load_image(&archive).await?;
        // The node has it now, and each of them is some MB.
        fs::remove_file(archive)?;
    }
    Ok(program)
}

fn stand_ins(program: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let files = vec![File { path: "bin/stand-in".into(), content: fs::read(program)?, mode: 0o755 }];
    let image = |name: String, env: BTreeMap<String, String>| Image {
        name,
        files: files.clone(),
        entrypoint: vec!["/bin/stand-in".into(), "stand-in".into()],
        env,
        ..Image::default()
    };
    let mut images = vec![image(PROXY.into(), BTreeMap::new())];
    for (name, ports) in STAND_INS {
        for version in VERSIONS {
            let ports = ports.iter().map(|(protocol, ports)| (*protocol, *ports));
            // The gRPC server says `COLOR` of itself, the others `VERSION`.
            let env = ports.chain([("VERSION", version), ("COLOR", version)]);
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            images.push(image(format!("registry.example.com/{name}:{version}"), env));
        }
    }
    images.iter().map(|image| archive(image, folder)).collect()
}

/// nginx, and php-fpm with the code of each version and the `cp` of its init container.
fn php(target: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let root = debian::with_dependencies("nginx-php", &["nginx-light", "php-fpm"], target)?;
    let file = |path: &str, content: &str| File { path: path.into(), content: content.into(), mode: 0o644 };
    let people = [
        file("etc/passwd", "root:x:0:0::/:/bin/false\nwww-data:x:33:33::/:/bin/false\n"),
        file("etc/group", "root:x:0:\nwww-data:x:33:\n"),
        file("tmp/.keep", ""),
    ];
    let mut nginx = debian::program_files(&root, &["usr/sbin/nginx"])?;
    nginx.extend(people.clone());
    nginx.push(file("etc/nginx/nginx.conf", NGINX_CONF));
    nginx.push(file("etc/nginx/fastcgi_params", &fs::read_to_string(root.join("etc/nginx/fastcgi_params"))?));
    let fpm = fs::read_dir(root.join("usr/sbin"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .find(|name| name.starts_with("php-fpm"));
    let fpm = format!("usr/sbin/{}", fpm.unwrap_or_else(|| "php-fpm".into()));
    let mut base = debian::program_files(&root, &[&fpm, "bin/cp"])?;
    base.extend(people);
    base.push(file("etc/fpm.conf", FPM_CONF));
    let command = |words: &[&str]| words.iter().map(ToString::to_string).collect();
    let mut images = vec![Image {
        name: format!("docker.io/library/{NGINX}"),
        files: nginx,
        entrypoint: command(&["/usr/sbin/nginx", "-g", "daemon off;"]),
        ..Image::default()
    }];
    for version in VERSIONS {
        let index = format!("<?php header('X-App-Version: {version}'); echo '{version}';");
        let mut files = base.clone();
        files.push(file("app/public/index.php", &index));
        files.push(file("app/public/version.txt", version));
        images.push(Image {
            name: format!("registry.example.com/shop/php:{version}"),
            files,
            entrypoint: command(&[&format!("/{fpm}"), "-F", "-y", "/etc/fpm.conf"]),
            ..Image::default()
        });
    }
    images.iter().map(|image| archive(image, folder)).collect()
}

fn archive(image: &Image, folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!("{}.tar", image.name.replace(['/', ':'], "-")));
    write_archive(&path, image)?;
    Ok(path)
}
