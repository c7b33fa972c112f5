//! The axis of time that all checks share, drawn as inline SVG without `style` attributes.

use std::fmt::Write as _;

use crate::Report;
use crate::render::format::seconds;

/// Distances between two ticks, in seconds.
const STEPS: [f64; 19] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0,
    43_200.0,
];
/// The most ticks.
const TICKS: f64 = 5.0;

/// From the first begin to the last end.
pub(super) struct Axis {
    begin: f64,
    length: f64,
    ticks: Vec<f64>,
}

impl Axis {
    /// The axis of the report, unless fewer than two checks can be placed on it.
    pub(super) fn of(report: &Report) -> Option<Self> {
        let spans = report.checks().filter_map(|(_, check)| {
            let (begin, seconds) = (check.offset_seconds?, check.duration_seconds?);
            (begin.is_finite() && seconds.is_finite()).then_some((begin, begin + seconds))
        });
        let (mut number, mut begin, mut end) = (0_usize, f64::INFINITY, f64::NEG_INFINITY);
        for (from, to) in spans {
            number += 1;
            begin = begin.min(from);
            end = end.max(to);
        }
        let length = end - begin;
        if number < 2 || length <= 0.0 {
            return None;
        }
        let step = STEPS.into_iter().find(|step| length / step <= TICKS).unwrap_or(length / TICKS);
        let ticks = (1..=5_u8).map(|tick| f64::from(tick) * step).take_while(|tick| *tick < length * 0.98);
        Some(Self { begin, length, ticks: ticks.collect() })
    }

    /// The numbers above the lanes.
    pub(super) fn scale(&self) -> String {
        let mut labels = "<text x=\"0\" y=\"1em\">0</text>".to_owned();
        // A label too near to the last one would be written over it.
        for tick in self.ticks.iter().filter(|tick| (0.12..0.82).contains(&(**tick / self.length))) {
            // Writing to a String cannot fail.
            let _ = write!(
                labels,
                "<text class=\"inner\" x=\"{:.2}%\" y=\"1em\" text-anchor=\"middle\">{}</text>",
                self.percent(*tick),
                short(*tick)
            );
        }
        let last = seconds(self.length);
        format!("<svg class=\"scale\">{labels}<text x=\"100%\" y=\"1em\" text-anchor=\"end\">{last}</text></svg>")
    }

    /// One lane with a bar; without one if it is not known when the check ran.
    pub(super) fn lane(&self, span: Option<(f64, f64)>, class: &str) -> String {
        let mut marks = String::new();
        for tick in &self.ticks {
            let x = self.percent(*tick);
            let _ = write!(marks, "<line class=\"tick inner\" x1=\"{x:.2}%\" x2=\"{x:.2}%\" y1=\"0\" y2=\"14\"/>");
        }
        let Some((offset, time)) = span.filter(|(offset, time)| offset.is_finite() && time.is_finite()) else {
            return format!("<svg class=\"lane\" aria-hidden=\"true\">{marks}</svg>");
        };
        let from = (offset - self.begin).clamp(0.0, self.length);
        // A check of no time is still seen.
        let width = self.percent(time.max(0.0).min(self.length - from)).max(0.6);
        let x = self.percent(from).min(100.0 - width);
        format!(
            "<svg class=\"lane\" aria-hidden=\"true\">{marks}<rect class=\"{class}\" x=\"{x:.2}%\" y=\"3\" width=\"{width:.2}%\" height=\"8\" \
             rx=\"2\"/></svg><span class=\"sr\">from {from:.1} s to {:.1} s</span>",
            from + time.max(0.0)
        )
    }

    fn percent(&self, time: f64) -> f64 {
        100.0 * time / self.length
    }
}

/// `0.5 s`, `2 s`, `5 min`, `1 h`.
fn short(time: f64) -> String {
    match time {
        time if time < 1.0 => format!("{time:.1} s"),
        time if time < 60.0 => format!("{time:.0} s"),
        time if time < 3600.0 => format!("{:.0} min", time / 60.0),
        time => format!("{:.0} h", time / 3600.0),
    }
}
