//! The word that was probably meant.

/// Longer words are not compared: nobody mistypes a word of a hundred letters by one.
const LONGEST: usize = 64;

/// More candidates are not compared, so that a hostile input can't buy much time.
const MOST: usize = 500;

/// Finds the candidate that a word was probably meant to be: few edits away, or the same but for case,
/// hyphens and underscores.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = fold(word)?;
    let allowed = match folded.len() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    candidates
        .into_iter()
        .take(MOST)
        .filter_map(|candidate| {
            let other = fold(candidate)?;
            if other.len().abs_diff(folded.len()) > allowed {
                return None;
            }
            let distance = edits(&folded, &other);
            (distance <= allowed && distance < folded.len().max(other.len())).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> Option<Vec<char>> {
    (word.len() <= LONGEST).then(|| {
        word.chars()
            .filter(|character| !matches!(character, '-' | '_'))
            .map(|character| character.to_ascii_lowercase())
            .collect()
    })
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other.
fn edits(from: &[char], to: &[char]) -> usize {
    let width = to.len() + 1;
    let mut before_last = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (row, left) in from.iter().enumerate() {
        let mut current = vec![row + 1; width];
        for (column, right) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(left != right);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let swapped = row > 0 && column > 0 && *left == to[column - 1] && from[row - 1] == *right;
            if swapped {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before_last = last;
        last = current;
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[track_caller]
    fn check(word: &str, candidates: &[&str], expected: Option<&str>) {
        assert_eq!(nearest(word, candidates.iter().copied()), expected);
    }

    #[test]
    fn finds_what_was_meant() {
        check("imge", &["image", "build"], Some("image"));
        check("readonly", &["readOnly", "ready"], Some("readOnly"));
        check("read_only", &["readOnly"], Some("readOnly"));
        check("prots", &["ports", "promises"], Some("ports"));
        check("web", &["web-tls", "web"], Some("web"));
        check("x", &["web"], None);
        check("x", &["y"], None);
        check("volumes", &["ports"], None);
        check("", &["a"], None);
    }
}
