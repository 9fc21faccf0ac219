//! Settings, all from the environment, because that is what a pod template can set.

use std::{path::PathBuf, str::FromStr, time::Duration};

/// What the app is and how it misbehaves when asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// TCP port to listen on; 0 lets the kernel choose one.
    pub port: u16,
    /// The version baked into the image.
    pub version: String,
    /// The color this pod belongs to, or `unknown`.
    pub color: String,
    /// The pod's name as the container sees it.
    pub hostname: String,
    /// How long to wait before listening, like an app that starts slowly.
    pub start_delay: Duration,
    /// When to report "not ready".
    pub fail_readiness: FailReadiness,
    /// Added to every response.
    pub slow: Duration,
    /// How many of a hundred requests for the page are answered with an error, as a bad version would.
    pub fail_percent: u8,
    /// Whether `/admin` exists.
    pub admin: bool,
    /// How long to go on serving after SIGTERM, until no one sends new requests here.
    pub shutdown_delay: Duration,
    /// How long unfinished requests may take after that.
    pub drain_limit: Duration,
}

/// When the app reports "not ready".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailReadiness {
    /// Only if told so at run time.
    Never,
    /// From start to end.
    Always,
    /// As long as this file exists.
    WhileFileExists(PathBuf),
}

/// A setting that can't be used, in words for the person who wrote it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ConfigError {
    /// Not a number where one is needed.
    #[error("{name} must be {expected}, not {value:?}")]
    Number {
        /// The environment variable.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// Something that can't stand in a response header.
    #[error("{name} must be printable ASCII without line breaks, not {value:?}")]
    Text {
        /// The environment variable.
        name: &'static str,
        /// What it is.
        value: String,
    },
}

const COLORS: [&str; 2] = ["blue", "green"];

impl Config {
    /// Reads the settings through `variable`, which looks up one environment variable. An empty variable counts as
    /// unset: templates often leave `COLOR=` behind.
    ///
    /// # Errors
    /// When a number is not a number, or a text can't be sent as a header.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let lookup = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let hostname = match lookup("HOSTNAME") {
            Some(name) => header_text("HOSTNAME", name)?,
            None => kernel_hostname(),
        };
        let color = match lookup("COLOR").or_else(|| lookup("BLUEGREEN_COLOR")) {
            Some(color) => header_text("COLOR", color)?,
            None => color_of(&hostname).unwrap_or("unknown").to_owned(),
        };
        let whole_seconds = |name, default| {
            number(name, "a whole number of seconds", lookup(name), default).map(Duration::from_secs)
        };
        Ok(Self {
            port: number("PORT", "a port from 0 to 65535", lookup("PORT"), 8888)?,
            version: header_text("VERSION", lookup("VERSION").unwrap_or_else(|| "dev".to_owned()))?,
            color,
            hostname,
            start_delay: whole_seconds("START_DELAY_SECONDS", 0)?,
            fail_readiness: match lookup("FAIL_READINESS") {
                None => FailReadiness::Never,
                Some(value) if value == "always" => FailReadiness::Always,
                Some(path) => FailReadiness::WhileFileExists(path.into()),
            },
            slow: Duration::from_millis(number(
                "SLOW_MS",
                "a whole number of milliseconds",
                lookup("SLOW_MS"),
                0,
            )?),
            fail_percent: percent("FAIL_PERCENT", lookup("FAIL_PERCENT"))?,
            admin: lookup("ENABLE_ADMIN").is_some_and(|value| value == "1"),
            shutdown_delay: whole_seconds("SHUTDOWN_DELAY_SECONDS", 2)?,
            // Together with the delay this stays under Kubernetes' default grace period of 30 seconds.
            drain_limit: whole_seconds("DRAIN_LIMIT_SECONDS", 25)?,
        })
    }
}

/// The color in a pod name as a Deployment makes it: `NAME-COLOR-HASH-SUFFIX`.
fn color_of(hostname: &str) -> Option<&'static str> {
    let mut parts = hostname.rsplit('-').skip(2);
    let color = parts.next()?;
    // Without a name in front, `blue` is the app's name and not its color.
    parts.next()?;
    COLORS.into_iter().find(|known| *known == color)
}

fn number<T: FromStr>(
    name: &'static str,
    expected: &'static str,
    value: Option<String>,
    default: T,
) -> Result<T, ConfigError> {
    match value {
        None => Ok(default),
        Some(value) => value.trim().parse().map_err(|_| ConfigError::Number { name, expected, value }),
    }
}

fn percent(name: &'static str, value: Option<String>) -> Result<u8, ConfigError> {
    let expected = "a whole number from 0 to 100";
    let text = value.clone().unwrap_or_default();
    match number(name, expected, value, 0)? {
        percent @ 0..=100 => Ok(percent),
        _ => Err(ConfigError::Number { name, expected, value: text }),
    }
}

fn header_text(name: &'static str, value: String) -> Result<String, ConfigError> {
    if value.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        Ok(value)
    } else {
        Err(ConfigError::Text { name, value })
    }
}

fn kernel_hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::from_env(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_gives_a_working_app() {
        let config = config(&[("HOSTNAME", "laptop")]).unwrap();
        assert_eq!((config.port, config.version.as_str(), config.color.as_str()), (8888, "dev", "unknown"));
        assert_eq!(config.fail_readiness, FailReadiness::Never);
        assert!(!config.admin);
    }

    #[test]
    fn which_source_of_the_color_wins() {
        let pod = ("HOSTNAME", "hello-green-7d9c5b8f6-x2k4p");
        assert_eq!(config(&[pod]).unwrap().color, "green");
        assert_eq!(config(&[pod, ("BLUEGREEN_COLOR", "blue")]).unwrap().color, "blue");
        assert_eq!(config(&[pod, ("BLUEGREEN_COLOR", "blue"), ("COLOR", "teal")]).unwrap().color, "teal");
        assert_eq!(config(&[pod, ("COLOR", "")]).unwrap().color, "green", "empty counts as unset");
    }

    #[test]
    fn only_a_deployments_pod_name_carries_a_color() {
        assert_eq!(color_of("my-shop-blue-7d9c5b8f6-x2k4p"), Some("blue"));
        for name in
            ["blue-7d9c5b8f6-x2k4p", "hello-blue", "hello-blue-x", "hello-red-7d9c-x2k4", "laptop", ""]
        {
            assert_eq!(color_of(name), None, "{name}");
        }
    }

    #[test]
    fn a_bad_number_names_the_variable() {
        let error = config(&[("SLOW_MS", "fast")]).unwrap_err();
        assert_eq!(error.to_string(), "SLOW_MS must be a whole number of milliseconds, not \"fast\"");
        assert!(config(&[("PORT", "70000")]).is_err());
        let error = config(&[("FAIL_PERCENT", "101")]).unwrap_err();
        assert_eq!(error.to_string(), "FAIL_PERCENT must be a whole number from 0 to 100, not \"101\"");
        assert_eq!(config(&[("FAIL_PERCENT", "5")]).unwrap().fail_percent, 5);
    }

    #[test]
    fn a_text_that_would_break_a_header_is_refused() {
        let error = config(&[("VERSION", "v1\r\nX-Evil: 1")]).unwrap_err();
        assert!(error.to_string().starts_with("VERSION must be printable"), "{error}");
    }

    #[test]
    fn readiness_can_fail_always_or_while_a_file_exists() {
        assert_eq!(config(&[("FAIL_READINESS", "always")]).unwrap().fail_readiness, FailReadiness::Always);
        assert_eq!(
            config(&[("FAIL_READINESS", "/run/not-ready")]).unwrap().fail_readiness,
            FailReadiness::WhileFileExists("/run/not-ready".into())
        );
    }
}
