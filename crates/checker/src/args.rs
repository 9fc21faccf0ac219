//! The flags. The operator writes them into a check's Job: what is refused here is a mistake of the operator, or of somebody who
//! runs the program by hand.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};

use crate::address::{Header, Url};
use crate::pace::Pace;

/// Where the kubelet looks for the last words of a container.
pub const MESSAGE_FILE: &str = "/dev/termination-log";

/// `bluegreen-operator check http|prometheus …`.
#[derive(Debug, Parser)]
#[command(name = "bluegreen-operator check", bin_name = "bluegreen-operator check", long_about = None)]
#[command(about = "Measure an app once or for some time: the program of a check's Job")]
#[command(
    after_help = "Exit codes: 0 passed, 1 failed, 75 can't tell (also for wrong flags), 143 ended by SIGTERM."
)]
pub struct Cli {
    /// What to measure.
    #[command(subcommand)]
    pub check: Check,
}

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum Check {
    /// Send GET requests, each over a connection of its own
    Http(Box<HttpArgs>),
    /// Compare the answer of a Prometheus query with limits
    Prometheus(Box<PrometheusArgs>),
}

impl Check {
    /// How often to measure.
    pub fn pace(&self) -> &Pace {
        match self {
            Self::Http(args) => &args.pace,
            Self::Prometheus(args) => &args.pace,
        }
    }
}

/// Flags of `check http`.
#[derive(Clone, Debug, Args)]
pub struct HttpArgs {
    /// Address and path, such as http://10.0.0.1:80/healthz. The certificate of an https:// URL is not checked
    #[arg(long, value_name = "URL", value_parser = Url::from_str)]
    pub url: Url,

    /// The header Host, and the name that TLS asks for
    #[arg(long, value_name = "NAME", value_parser = http::HeaderValue::from_str)]
    pub host: http::HeaderValue,

    /// One more header; a Host among them replaces --host
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = Header::from_str, allow_hyphen_values = true)]
    pub headers: Vec<Header>,

    /// The status that is good: one, or the first and the last of a range
    #[arg(long, value_name = "CODES", default_value = "200-399", value_parser = Statuses::from_str)]
    pub status: Statuses,

    /// Text that must be in the first 64 KiB of the body
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub contains: Option<String>,

    /// Longest time from the start of the connection to the end of the answer (or of its first 64 KiB), in milliseconds
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_milliseconds: Option<u32>,

    /// How often and for how long.
    #[command(flatten)]
    pub pace: Pace,

    /// File for the last words; it is not made if it is not there
    #[arg(long, value_name = "PATH", default_value = MESSAGE_FILE)]
    pub message_file: PathBuf,
}

/// Flags of `check prometheus`.
#[derive(Clone, Debug, Args)]
#[command(group = clap::ArgGroup::new("limits").args(["min", "max"]).multiple(true).required(true))]
pub struct PrometheusArgs {
    /// Address of Prometheus, such as http://prometheus.monitoring:9090, without /api/v1/query
    #[arg(long, value_name = "URL", value_parser = parse_address)]
    pub address: Url,

    /// The query, with $(NAME) for variables of the check. It must answer one number
    #[arg(long, value_name = "PROMQL", allow_hyphen_values = true, value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub query: String,

    /// Least value that is good, as a decimal number
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true, value_parser = Limit::from_str)]
    pub min: Option<Limit>,

    /// Largest value that is good, as a decimal number
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true, value_parser = Limit::from_str)]
    pub max: Option<Limit>,

    /// File with the bearer token; read for every measurement
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,

    /// File with the certificates (PEM) of the CAs to trust, in place of those that Mozilla trusts
    #[arg(long, value_name = "PATH")]
    pub ca_file: Option<PathBuf>,

    /// How often and for how long.
    #[command(flatten)]
    pub pace: Pace,

    /// File for the last words; it is not made if it is not there
    #[arg(long, value_name = "PATH", default_value = MESSAGE_FILE)]
    pub message_file: PathBuf,
}

fn parse_address(text: &str) -> Result<Url, String> {
    if text.contains('?') {
        return Err("must have no query".to_owned());
    }
    Url::from_str(text)
}

/// A range of statuses; both ends belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statuses {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let code = |text: &str| text.parse().ok().filter(|code| (100..=599).contains(code));
        match (code(first), code(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err("must be a status such as 200, or a range such as 200-399".to_owned()),
        }
    }
}

impl std::fmt::Display for Statuses {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(formatter, "{first}") } else { write!(formatter, "{first}-{last}") }
    }
}

/// A limit, as it was written and as a number. Prometheus computes with such numbers, so both are rounded in the same way and
/// equal decimals stay equal.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// As it was written.
    pub text: String,
    /// As a number.
    pub number: f64,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Self { text: text.to_owned(), number }),
            _ => Err("must be a decimal number such as 0.01".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Check, String> {
        let arguments = [&["check"], arguments].concat();
        Cli::try_parse_from(arguments).map(|cli| cli.check).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_job_names_every_flag() {
        let http = parse(&[
            "http",
            "--url",
            "http://10.0.0.1:80/healthz",
            "--host",
            "hello-green.ns.svc",
            "--header",
            "K: V",
            "--header",
            "L: W",
            "--status",
            "200-399",
            "--contains",
            "-ok",
            "--max-milliseconds",
            "500",
            "--delay-seconds",
            "1",
            "--period-seconds",
            "2",
            "--timeout-seconds",
            "3",
            "--for-seconds",
            "4",
            "--max-failures",
            "5",
        ]);
        let Check::Http(args) = http.unwrap() else { panic!() };
        assert_eq!(args.headers.len(), 2);
        assert_eq!(args.contains.as_deref(), Some("-ok"));
        let Pace { delay_seconds, period_seconds, timeout_seconds, for_seconds, max_failures } = args.pace;
        assert_eq!(
            [delay_seconds, period_seconds, timeout_seconds, for_seconds, max_failures],
            [1, 2, 3, 4, 5]
        );
        assert_eq!(args.message_file, PathBuf::from(MESSAGE_FILE));

        let prometheus = parse(&[
            "prometheus",
            "--address",
            "http://prometheus.monitoring:9090",
            "--query",
            "-up",
            "--min",
            "-1.5",
            "--max",
            "0.01",
            "--delay-seconds",
            "0",
            "--period-seconds",
            "15",
            "--timeout-seconds",
            "5",
            "--for-seconds",
            "300",
            "--max-failures",
            "2",
            "--token-file",
            "/token",
            "--ca-file",
            "/ca",
        ]);
        let Check::Prometheus(args) = prometheus.unwrap() else { panic!() };
        assert_eq!(args.min.unwrap().number, -1.5);
        assert_eq!(args.max.unwrap().text, "0.01");
        assert_eq!(args.query, "-up");
    }

    #[test]
    fn a_query_needs_a_limit_and_an_address_has_no_query() {
        let words = parse(&["prometheus", "--address", "http://p", "--query", "up"]).unwrap_err();
        assert!(words.contains("--min"), "{words}");
        for address in ["http://p?a=b", "http://u@p", "p:9090"] {
            assert!(parse(&["prometheus", "--address", address, "--query", "up", "--max", "1"]).is_err());
        }
    }

    #[test]
    fn statuses_and_limits_are_numbers() {
        assert_eq!("200".parse(), Ok(Statuses { first: 200, last: 200 }));
        assert_eq!("200-399".parse::<Statuses>().unwrap().to_string(), "200-399");
        for text in ["", "ok", "2xx", "399-200", "200-", "-200", "99", "600", "200-300-400"] {
            assert!(text.parse::<Statuses>().is_err(), "{text}");
        }
        for text in ["0", "-1.5", "0.01", "1e-3", ".5"] {
            assert!(text.parse::<Limit>().is_ok(), "{text}");
        }
        for text in ["", "NaN", "inf", "-Inf", "infinity", "1e999", "1%", "1,5"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
