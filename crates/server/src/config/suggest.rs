//! Finds the known name that a mistyped one was probably meant to be.

/// The nearest of the known names, when one is near enough to be worth naming.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A key in the wrong table is the commonest slip: the last part is right and the path is not.
    let last = typed.rsplit('.').next().unwrap_or(typed);
    let allowed = (typed.len() / 3).clamp(1, 4);
    known
        .map(|name| {
            let same_last = name.contains('.') && name.rsplit('.').next() == Some(last);
            (distance(typed, name).min(if same_last { 1 } else { usize::MAX }), name)
        })
        .min_by_key(|(far, _)| *far)
        .filter(|(far, _)| *far <= allowed)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out, changed or swapped with the next one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["limit.frame", "limit.body", "log.level", "data", "tls.cert"];
        let cases = [
            ("limit.frmae", Some("limit.frame")),
            ("limits.frame", Some("limit.frame")),
            ("frame", Some("limit.frame")),
            ("log.lvl", Some("log.level")),
            ("dat", Some("data")),
            ("colour", None),
            ("x", None),
        ];
        for (typed, expected) in cases {
            assert_eq!(nearest(typed, known.into_iter()), expected, "{typed}");
        }
    }

    #[test]
    fn the_distance_counts_slips() {
        for (a, b, far) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abd", 1), ("", "abc", 3)]
        {
            assert_eq!(distance(a, b), far, "{a} {b}");
        }
    }
}
