//! The project in GitLab: this repository's files in a Git repository of their own, with commits to release.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use bluegreen_cluster::output;
use tokio::process::Command;

use crate::place::Place;

/// The pipeline, by the path that is set as the project's CI/CD configuration file.
pub const PIPELINE: &str = "examples/gitlab/.gitlab-ci.yml";

/// The app's manifest.
const MANIFEST: &str = "examples/gitlab/hello.yaml";

/// The image's recipe.
const CONTAINERFILE: &str = "examples/hello/Containerfile";

/// A checkout.
pub struct Project {
    /// Its folder.
    pub folder: PathBuf,
    /// The image's recipe as it was.
    recipe: String,
}

impl Project {
    /// A new one, with the files as they are in this checkout, committed or not.
    pub async fn create(place: &Place) -> Result<Self> {
        let folder = place.folder.join("project");
        if folder.exists() {
            tokio::fs::remove_dir_all(&folder).await?;
        }
        tokio::fs::create_dir_all(&folder).await?;
        let copy = format!(
            "git ls-files -z --cached --others --exclude-standard | \
             rsync --archive --from0 --files-from=- --ignore-missing-args . {}",
            quoted(&folder)
        );
        place.run(&copy, &place.root).await?;
        let recipe = tokio::fs::read_to_string(folder.join(CONTAINERFILE)).await?;
        let project = Self { folder, recipe };
        project.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        project.git(&["config", "user.name", "A developer"]).await?;
        project.git(&["config", "user.email", "developer@example.com"]).await?;
        project.git(&["config", "commit.gpgsign", "false"]).await?;
        project.git(&["remote", "add", "origin", "https://gitlab.example.com/team/shop.git"]).await?;
        project.commit("Begin").await?;
        Ok(project)
    }

    /// Commits everything, with an image that works; returns the tag of the commit's image.
    pub async fn commit(&self, message: &str) -> Result<String> {
        tokio::fs::write(self.folder.join(CONTAINERFILE), &self.recipe).await?;
        self.commit_as_it_is(message).await
    }

    async fn commit_as_it_is(&self, message: &str) -> Result<String> {
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]).await?;
        self.tag().await
    }

    /// Checks out the commit whose image has this tag.
    pub async fn check_out(&self, tag: &str) -> Result<()> {
        self.git(&["checkout", "--quiet", "-B", "main", tag]).await?;
        Ok(())
    }

    /// A commit after which the image has these variables besides its own: some break the app.
    pub async fn commit_with(&self, variables: &str, message: &str) -> Result<String> {
        ensure!(self.recipe.contains("\nUSER "), "{CONTAINERFILE} has no USER line");
        let recipe = self.recipe.replacen("\nUSER ", &format!("\nENV {variables}\nUSER "), 1);
        tokio::fs::write(self.folder.join(CONTAINERFILE), recipe).await?;
        self.commit_as_it_is(message).await
    }

    /// Puts image and first version into the app's manifest, as a person does before applying it.
    pub async fn fill_in(&self, tag: &str) -> Result<()> {
        let path = self.folder.join(MANIFEST);
        let text = tokio::fs::read_to_string(&path).await?;
        ensure!(text.contains("{tag: v1.0.0}"), "{MANIFEST} names no first version");
        tokio::fs::write(&path, text.replace("{tag: v1.0.0}", &format!("{{tag: \"{tag}\"}}"))).await?;
        Ok(())
    }

    /// The image as the manifest names it.
    pub async fn image(&self) -> Result<String> {
        let text = tokio::fs::read_to_string(self.folder.join(MANIFEST)).await?;
        let line = text.lines().find_map(|line| line.trim().strip_prefix("image: ")).context("no image")?;
        Ok(line.split(" #").next().unwrap_or_default().trim().to_owned())
    }

    /// As GitLab makes `CI_COMMIT_SHORT_SHA`.
    async fn tag(&self) -> Result<String> {
        Ok(self.git(&["rev-parse", "--short=8", "HEAD"]).await?.trim().chars().take(8).collect())
    }

    async fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut git = Command::new("git");
        git.args(arguments).current_dir(&self.folder);
        output(git).await
    }
}

/// For a shell.
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
