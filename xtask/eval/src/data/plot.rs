//! Plots as SVG, drawn by hand: lines, ticks and words.

use std::fmt::Write as _;

use super::experiment::{Outcome, Story};
use super::measure::curve;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 480.0;
/// Left, right, top and bottom of the lines.
const FRAME: [f64; 4] = [64.0, 700.0, 40.0, 430.0];
/// Told apart also by those who see fewer colours (Okabe and Ito).
const COLOURS: [&str; 5] = ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7"];
/// Methods that share a plot: more cannot be told apart.
const SHOWN: [&str; 5] = [
    "production: 64 KiB table + histogram",
    "surprise alone",
    "histogram alone",
    "STIDE, n = 6",
    "Witten-Bell, order 12",
];

/// ROC curves, false alarms on a logarithmic scale: what happens above 10 % is of no use to anybody.
pub(crate) fn roc(outcome: &Outcome) -> String {
    const LEAST: f64 = 0.001;
    let title = format!("{}, {}", outcome.set, outcome.order.text());
    let across = |rate: f64| 1.0 - rate.max(LEAST).log10() / LEAST.log10();
    let mut plot = Plot::new(&title, "false alarms", "attacks found");
    for rate in [0.001, 0.01, 0.05, 0.1, 0.5, 1.0] {
        plot.tick_below(across(rate), &format!("{} %", rate * 100.0));
    }
    for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
        plot.tick_beside(share, &format!("{} %", share * 100.0));
    }
    for (method, colour) in SHOWN.into_iter().zip(COLOURS) {
        let figures = outcome.methods.iter().find(|figures| figures.scores.method == method);
        let Some(figures) = figures else { continue };
        let mut corners = Vec::new();
        let mut height = 0.0;
        for (false_alarms, found) in curve(&figures.scores) {
            // A step: what is found at a rate is not found below it.
            corners.push((across(false_alarms), height));
            corners.push((across(false_alarms), found));
            height = found;
        }
        plot.line(&corners, colour, &format!("{method}: AUC {:.3}", figures.auc));
    }
    plot.finished()
}

/// The score of one attack and of one usual run, as calls pass.
pub(crate) fn story(story: &Story) -> String {
    let all = || story.attack.iter().chain(&story.usual);
    let longest = all().map(|(calls, _)| *calls).fold(1.0, f64::max);
    let title = format!("the score of {} as its calls pass, by the second", story.name);
    let mut plot = Plot::new(&title, "calls", "fused score");
    // Two lanes of at most 4 deviations each.
    let up = |score: f64| (score + 8.0) / 16.0;
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        plot.tick_below(part, &format!("{:.0}", longest * part));
    }
    for score in [-8.0, -4.0, 0.0, 4.0, 8.0] {
        plot.tick_beside(up(score), &format!("{score}"));
    }
    let placed = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().map(|(calls, score)| (calls / longest, up(*score))).collect()
    };
    let [black, blue, red, ..] = COLOURS;
    plot.line(&placed(&story.attack), red, "the attack");
    plot.line(&placed(&story.usual), blue, "a usual run (the one of the middle score)");
    if let Some(threshold) = story.threshold {
        plot.line(&[(0.0, up(threshold)), (1.0, up(threshold))], black, "nominal 1 %");
    }
    plot.finished()
}

struct Plot {
    svg: String,
    n_lines: u32,
}

impl Plot {
    fn new(title: &str, below: &str, beside: &str) -> Self {
        let [left, right, top, bottom] = FRAME;
        let mut plot = Self { svg: String::new(), n_lines: 0 };
        plot.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
        ));
        plot.add(format_args!("<text x=\"{left}\" y=\"18\" font-size=\"14\">{title}</text>"));
        plot.add(format_args!(
            "<path d=\"M{left},{top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/>"
        ));
        let middle = f64::midpoint(left, right);
        plot.add(format_args!(
            "<text x=\"{middle}\" y=\"470\" text-anchor=\"middle\">{below}</text>"
        ));
        plot.add(format_args!("<text x=\"8\" y=\"32\">{beside}</text>"));
        plot
    }

    fn tick_below(&mut self, part: f64, word: &str) {
        let (x, y) = (place((part, 0.0)).0, FRAME[3]);
        self.add(format_args!(
            "<path d=\"M{x:.1},{y}v5\" stroke=\"#888\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
             text-anchor=\"middle\">{word}</text>",
            y + 18.0
        ));
    }

    fn tick_beside(&mut self, part: f64, word: &str) {
        let (x, y) = (FRAME[0], place((0.0, part)).1);
        self.add(format_args!(
            "<path d=\"M{x},{y:.1}h-5\" stroke=\"#888\"/><text x=\"{:.1}\" y=\"{:.1}\" \
             text-anchor=\"end\">{word}</text>",
            x - 8.0,
            y + 4.0
        ));
    }

    /// Points from 0 to 1 either way, and what they are.
    fn line(&mut self, points: &[(f64, f64)], colour: &str, name: &str) {
        let mut path = String::new();
        for point in points {
            let (x, y) = place(*point);
            write!(path, " {x:.1},{y:.1}").expect("a String takes all");
        }
        self.add(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>",
            path.trim_start()
        ));
        let (x, y) = (FRAME[0] + 16.0, FRAME[2] + 16.0 + 18.0 * f64::from(self.n_lines));
        self.add(format_args!(
            "<path d=\"M{x},{:.1}h20\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\">{name}</text>",
            y - 4.0,
            x + 26.0
        ));
        self.n_lines += 1;
    }

    fn finished(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }

    fn add(&mut self, what: std::fmt::Arguments<'_>) {
        self.svg.write_fmt(what).expect("a String takes all");
        self.svg.push('\n');
    }
}

fn place((across, up): (f64, f64)) -> (f64, f64) {
    let [left, right, top, bottom] = FRAME;
    (left + across * (right - left), bottom - up * (bottom - top))
}
