//! What was measured, for people: a table of medians with their spread, or two builds side by
//! side.

use super::Measured;
use super::figure::{FIGURES, Figure, Spread};
use super::run::Run;

/// A line of progress.
pub(crate) fn words(run: &Run) -> String {
    let cpu = run.server_cpu.map_or(String::new(), |cpu| {
        format!(", server CPU {cpu:.2} s per 10,000")
    });
    format!(
        "{} deliveries/s, receipt p50 {:.2} p99 {:.2} ms{cpu}",
        thousands(run.deliveries_per_sec, 0),
        run.receipts.p50_ms,
        run.receipts.p99_ms
    )
}

/// A row of medians for each point, and below it how far the runs lie apart.
pub(crate) fn print(measured: &[Measured]) {
    let shown: Vec<&Figure> = FIGURES
        .iter()
        .filter(|figure| is_there(figure, measured))
        .collect();
    let mut rows = Vec::new();
    for line in 0..2 {
        let heads = shown.iter().map(|it| it.head[line].to_owned());
        rows.push([String::new()].into_iter().chain(heads).collect());
    }
    for point in measured {
        let spreads: Vec<Option<Spread>> =
            shown.iter().map(|it| it.spread(&point.runs[0])).collect();
        let cell = |of: fn(&Spread) -> f64| {
            let cells = shown.iter().zip(&spreads).map(move |(figure, spread)| {
                let value = spread.as_ref().map(of);
                value.map_or("-".to_owned(), |it| thousands(it, figure.digits))
            });
            cells.collect::<Vec<_>>()
        };
        let mut row = vec![point.point.name.clone()];
        row.extend(cell(|it| it.median));
        rows.push(row);
        if point.runs[0].len() > 1 {
            for (name, of) in [
                ("  least", (|it| it.least) as fn(&Spread) -> f64),
                ("  most", |it| it.most),
            ] {
                let mut row = vec![name.to_owned()];
                row.extend(cell(of));
                rows.push(row);
            }
        }
    }
    print_rows(&rows);
    println!();
}

/// Each figure of each point: A, B, and B over A by pairs that ran beside each other.
pub(crate) fn compare(measured: &[Measured]) {
    for point in measured {
        let (a, b) = (&point.runs[0], &point.runs[1]);
        let pairs: Vec<(Run, Run)> = a.iter().cloned().zip(b.iter().cloned()).collect();
        let head = [&point.point.name, "A", "B", "B/A", "least", "most"];
        let mut rows = vec![head.map(str::to_owned).to_vec()];
        for figure in FIGURES {
            let (Some(a), Some(b)) = (figure.spread(a), figure.spread(b)) else {
                continue;
            };
            let mut row = vec![format!("  {}", figure.name)];
            row.extend([a, b].map(|it| thousands(it.median, figure.digits)));
            match figure.ratio(&pairs) {
                Some(it) => {
                    row.extend([it.median, it.least, it.most].map(|ratio| thousands(ratio, 3)))
                }
                None => row.extend(["-"; 3].map(str::to_owned)),
            }
            rows.push(row);
        }
        print_rows(&rows);
        println!();
    }
    println!("A and B: medians. B/A: the middle of the pairs that ran beside each other.");
}

fn is_there(figure: &Figure, measured: &[Measured]) -> bool {
    let mut runs = measured.iter().flat_map(|point| &point.runs[0]);
    runs.any(|run| (figure.of)(run).is_some())
}

/// The first column to the left, all others to the right.
pub(crate) fn print_rows(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |nth: usize| {
        let cells = rows.iter().filter_map(|row| row.get(nth));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(nth, (cell, width))| match nth {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// `12,345.6`
pub(crate) fn thousands(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let whole = text.find('.').unwrap_or(text.len());
    let mut grouped = String::new();
    // Digits, a point and a sign: a byte each.
    for (nth, letter) in text.char_indices() {
        let before = nth > 0 && nth < whole && !text[..nth].ends_with('-');
        if before && (whole - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(letter);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn large_numbers_are_read_in_groups() {
        for (value, digits, expected) in [
            (0.7, 2, "0.70"),
            (999.0, 0, "999"),
            (1_000.0, 0, "1,000"),
            (1_234_567.89, 1, "1,234,567.9"),
            (-123_456.0, 0, "-123,456"),
        ] {
            assert_eq!(thousands(value, digits), expected);
        }
    }
}
