//! The figures, and whether they are good enough.

use std::time::Duration;

use anyhow::Result;
use bluegreen_load::Report;

use crate::say::say;
use crate::switch::{Switch, Traffic};

/// Prints the figures; returns what is wrong with them.
pub fn judge(report: &Report, switches: &[Switch]) -> Result<Vec<String>> {
    let seen: Vec<(&Switch, Traffic)> =
        switches.iter().map(|switch| Ok((switch, switch.traffic(report)?))).collect::<Result<_>>()?;
    table(&seen);
    let seconds = report.duration.as_secs_f64();
    let (sent, lost) = (report.total.sent, report.total.failed());
    #[allow(clippy::cast_precision_loss, reason = "there are never that many requests")]
    let rate = sent as f64 / seconds;
    say(format_args!(
        "\n{sent} requests in {seconds:.1} s ({rate:.0}/s, half on new connections), {lost} lost"
    ));

    let mut wrong = Vec::new();
    if lost > 0 {
        wrong.push(format!("{lost} requests were lost:\n{report}"));
    }
    if rate < 195.0 {
        wrong.push(format!("the load was {rate:.0} requests/s instead of 200"));
    }
    for (Switch { from, to, .. }, traffic) in &seen {
        let Traffic { wrong: late, first_new, .. } = traffic;
        if *late > 0 {
            wrong.push(format!(
                "{from} answered {late} new connections more than 2 s after the switch to {to}"
            ));
        }
        if first_new.is_none() {
            wrong.push(format!("{to} never answered the load"));
        }
    }
    Ok(wrong)
}

fn table(seen: &[(&Switch, Traffic)]) {
    let row = |title: &str, cell: &dyn Fn(&Switch, &Traffic) -> String| {
        let cells: String =
            seen.iter().map(|(switch, traffic)| format!("{:>15}", cell(switch, traffic))).collect();
        say(format_args!("{title:<56}{cells}"));
    };
    row("", &|switch, _| format!("{} → {}", switch.from, switch.to));
    row("from Enter until the API server has the patch", &|switch, _| time(Some(switch.taken)));
    row("… the Service selects the new color", &|switch, _| time(Some(switch.selected)));
    row("… the first answer of the new color *", &|_, traffic| time(traffic.first_new));
    row("… the last answer of the old color *", &|_, traffic| time(traffic.last_old));
    row("… kubectl wait returns", &|switch, _| time(Some(switch.returned)));
    row("requests from then to the next step", &|_, traffic| traffic.requests.to_string());
    row("requests lost", &|_, traffic| traffic.lost.to_string());
    row("wrong color more than 2 s after the switch *", &|_, traffic| traffic.wrong.to_string());
    row("answers of the old color on kept connections **", &|_, traffic| traffic.kept.to_string());
    say(
        "  * on new connections   ** such a connection stays with its pod until it is closed, as with any Service",
    );
}

fn time(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "-".into(), |duration| format!("{:.2} s", duration.as_secs_f64()))
}
