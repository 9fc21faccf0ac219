//! One row as a picture: how long fresh requests took around the switch.

use std::fmt::Write;
use std::time::Duration;

use crate::histogram::Latencies;
use crate::results::{Entry, TIMELINE, TIMELINE_BEFORE};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 28.0;

/// Powers of ten of a second at the lower and upper edge.
const DECADES: (i32, i32) = (-4, 1);

/// Share of the requests, color and name of each line.
const LINES: [(f64, &str, &str); 3] =
    [(0.5, "#1f77b4", "p50"), (0.99, "#ff7f0e", "p99"), (1.0, "#888888", "slowest")];

/// The picture, as SVG that reads on light and dark ground.
pub fn svg(sum: &Entry) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"#888888\">\n<title>{}: latency of fresh requests around {} switches</title>\n",
        sum.row, sum.switches
    );
    grid(&mut svg);
    for (index, (share, color, name)) in (0_u32..).zip(LINES) {
        line(&mut svg, &sum.timeline, share, color);
        let x = LEFT + 70.0 * f64::from(index);
        // A string takes every line, here and below.
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"14\" fill=\"{color}\">{name}</text>");
    }
    svg + "</svg>\n"
}

fn grid(svg: &mut String) {
    for decade in DECADES.0..=DECADES.1 {
        let y = height(10_f64.powi(decade));
        let label = match decade {
            -4 => "0.1 ms",
            -3 => "1 ms",
            -2 => "10 ms",
            -1 => "0.1 s",
            0 => "1 s",
            _ => "10 s",
        };
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {y:.1}H{}\" stroke=\"#88888855\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            WIDTH - RIGHT,
            LEFT - 4.0,
            y + 4.0
        );
    }
    for tenth in (0..=TIMELINE).step_by(10) {
        let x = place(tenth);
        let second = seconds(tenth);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{second:+.0} s</text>",
            HEIGHT - 10.0
        );
    }
    let x = place(TIMELINE_BEFORE);
    let _ = writeln!(
        svg,
        "<path d=\"M{x:.1} {TOP}V{}\" stroke=\"#d62728\" stroke-dasharray=\"4 3\"/>\
         <text x=\"{:.1}\" y=\"{}\" fill=\"#d62728\">the Service moves</text>",
        HEIGHT - BOTTOM,
        x + 4.0,
        TOP + 10.0
    );
}

fn line(svg: &mut String, timeline: &[Latencies], share: f64, color: &str) {
    let points: Vec<String> = timeline
        .iter()
        .enumerate()
        .filter_map(|(tenth, latencies)| {
            let latency: Duration = latencies.at(share)?;
            Some(format!("{:.1},{:.1}", place(tenth), height(latency.as_secs_f64())))
        })
        .collect();
    let _ = writeln!(
        svg,
        "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"{}\"/>",
        points.join(" ")
    );
}

#[allow(clippy::cast_precision_loss, reason = "the timeline has a few dozen places")]
fn seconds(tenth: usize) -> f64 {
    (tenth as f64 - TIMELINE_BEFORE as f64) / 10.0
}

#[allow(clippy::cast_precision_loss, reason = "the timeline has a few dozen places")]
fn place(tenth: usize) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * tenth as f64 / TIMELINE as f64
}

fn height(seconds: f64) -> f64 {
    let (low, high) = (f64::from(DECADES.0), f64::from(DECADES.1));
    let share = (seconds.max(1e-9).log10().clamp(low, high) - low) / (high - low);
    HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_slower_request_drawn_higher_and_a_later_one_further_right() {
        assert!(height(1.0) < height(0.1) && height(100.0) >= TOP && height(0.0) <= HEIGHT - BOTTOM);
        assert!(place(0) >= LEFT && place(TIMELINE) <= WIDTH && place(10) < place(20));
    }

    #[test]
    fn does_a_tenth_without_requests_leave_a_gap_and_no_zero() {
        let mut timeline = vec![Latencies::default(); TIMELINE];
        timeline[3].add(Duration::from_millis(1));
        let entry = Entry { timeline, ..Entry::default() };
        assert_eq!(svg(&entry).matches(',').count(), LINES.len());
    }
}
