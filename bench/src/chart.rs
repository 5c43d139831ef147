//! Charts as SVG: horizontal bars, and lines over time. Colours follow the reader's light or dark theme.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#24292f}.title{font-weight:600;font-size:15px}.soft{fill:#57606a}\
.page{fill:#fff}.grid{stroke:#d0d7de}.c0{fill:#0969da;stroke:#0969da}.c1{fill:#bc4c00;stroke:#bc4c00}\
.c2{fill:#1a7f37;stroke:#1a7f37}.c3{fill:#8250df;stroke:#8250df}.c4{fill:#6e7781;stroke:#6e7781}\
.line{fill:none;stroke-width:2}.dash{stroke-dasharray:5 4}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9198a1}.page{fill:#0d1117}.grid{stroke:#3d444d}\
.c0{fill:#4493f8;stroke:#4493f8}.c1{fill:#f0883e;stroke:#f0883e}.c2{fill:#3fb950;stroke:#3fb950}\
.c3{fill:#ab7df8;stroke:#ab7df8}.c4{fill:#9198a1;stroke:#9198a1}.line{fill:none}}";
const COLOURS: usize = 5;

/// One bar.
pub struct Bar {
    pub label: String,
    pub value: f64,
    /// Which of the five colours.
    pub colour: usize,
}

/// One line: a value for every step on the x axis.
pub struct Line {
    pub label: String,
    pub values: Vec<f64>,
    pub colour: usize,
    pub dashed: bool,
}

/// Horizontal bars, each with its value at its end.
pub fn bars(title: &str, unit: &str, bars: &[Bar]) -> String {
    let longest = bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or(0);
    let left = 24.0 + 7.0 * longest as f64;
    let most = bars.iter().map(|bar| bar.value).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = opened(title, unit, 70.0 + 26.0 * bars.len() as f64);
    for (n, bar) in bars.iter().enumerate() {
        let y = 58.0 + 26.0 * n as f64;
        let width = (WIDTH - left - 90.0) * bar.value / most;
        let (label, value, colour) = (escaped(&bar.label), written(bar.value), bar.colour % COLOURS);
        let _ = write!(
            svg,
            r#"<text x="{:.0}" y="{:.0}" text-anchor="end">{label}</text><rect class="c{colour}" x="{left:.0}" y="{y:.0}" width="{width:.1}" height="18" rx="2"/><text x="{:.1}" y="{:.0}">{value}</text>"#,
            left - 8.0,
            y + 13.5,
            left + width + 6.0,
            y + 13.5,
        );
    }
    svg + "</svg>\n"
}

/// Lines over seconds, from zero.
pub fn lines(title: &str, unit: &str, lines: &[Line]) -> String {
    const TOP: f64 = 60.0;
    const HEIGHT: f64 = 220.0;
    const LEFT: f64 = 60.0;
    let steps = lines.iter().map(|line| line.values.len()).max().unwrap_or(0).max(2);
    let most =
        round_up(lines.iter().flat_map(|line| &line.values).copied().fold(f64::MIN_POSITIVE, f64::max));
    let (x, y) = (
        |step: usize| LEFT + (WIDTH - LEFT - 30.0) * step as f64 / (steps - 1) as f64,
        |value: f64| TOP + HEIGHT * (1.0 - value / most),
    );
    let mut svg = opened(title, unit, TOP + HEIGHT + 40.0 + 20.0 * lines.len() as f64);
    for quarter in 0..=4 {
        let value = most * f64::from(quarter) / 4.0;
        let _ = write!(
            svg,
            r#"<line class="grid" x1="{LEFT}" y1="{0:.1}" x2="{1}" y2="{0:.1}"/><text class="soft" x="{2}" y="{3:.1}" text-anchor="end">{4}</text>"#,
            y(value),
            WIDTH - 30.0,
            LEFT - 8.0,
            y(value) + 4.5,
            written(value),
        );
    }
    for step in (0..steps).step_by(steps.div_ceil(10)) {
        let (at, under) = (x(step), TOP + HEIGHT + 18.0);
        let _ = write!(
            svg,
            r#"<text class="soft" x="{at:.1}" y="{under}" text-anchor="middle">{} s</text>"#,
            step + 1
        );
    }
    for (n, line) in lines.iter().enumerate() {
        let points =
            line.values.iter().enumerate().map(|(step, value)| format!("{:.1},{:.1}", x(step), y(*value)));
        let points = points.collect::<Vec<_>>().join(" ");
        let dash = if line.dashed { " dash" } else { "" };
        let (colour, at) = (line.colour % COLOURS, TOP + HEIGHT + 42.0 + 20.0 * n as f64);
        let _ = write!(
            svg,
            r#"<polyline class="c{colour} line{dash}" points="{points}"/><line class="c{colour} line{dash}" x1="{LEFT}" y1="{0}" x2="{1}" y2="{0}"/><text x="{2}" y="{3}">{4}</text>"#,
            at,
            LEFT + 28.0,
            LEFT + 36.0,
            at + 4.5,
            escaped(&line.label),
        );
    }
    svg + "</svg>\n"
}

fn opened(title: &str, unit: &str, height: f64) -> String {
    let title = escaped(title);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" role="img" aria-label="{title}"><style>{STYLE}</style><rect class="page" width="100%" height="100%"/><text class="title" x="16" y="26">{title}</text><text class="soft" x="16" y="45">{}</text>"#,
        escaped(unit)
    )
}

/// Two digits that matter, and no more.
fn written(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.0}k", value / 1000.0)
    } else if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// The next number that begins with 1, 2, 4, 6 or 8 and is otherwise zeros.
fn round_up(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].map(|m| m * unit).into_iter().find(|n| *n >= value).unwrap_or(value)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out() {
        let svg = bars("a<b", "\"c\" & d", &[Bar { label: "<script>".into(), value: 1.0, colour: 0 }]);
        assert!(svg.contains("a&lt;b") && svg.contains("&quot;c&quot; &amp; d") && !svg.contains("<script>"));
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        assert_eq!([0.07, 3.0, 10.0, 250.0].map(round_up), [0.08, 4.0, 10.0, 400.0]);
    }
}
