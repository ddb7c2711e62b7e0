//! Shows what would change in a text, as a unified diff.

use std::fmt::Write as _;

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// Beyond this many differing lines the middle is shown as replaced as a whole: the shortest
/// edit would cost more than it tells.
const MOST_EDITS: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Edit {
    Keep,
    Remove,
    Insert,
}

/// The unified diff from an old to a new text; empty when they are equal.
pub fn unified(path: &str, old: &[u8], new: &[u8]) -> String {
    if old == new {
        return String::new();
    }
    let (Ok(old), Ok(new)) = (std::str::from_utf8(old), std::str::from_utf8(new)) else {
        return format!("Binary file {path} differs\n");
    };
    let (old, new): (Vec<&str>, Vec<&str>) = (
        old.split_inclusive('\n').collect(),
        new.split_inclusive('\n').collect(),
    );
    let edits = edits(&old, &new);
    let mut text = format!("--- a/{path}\n+++ b/{path}\n");
    let mut at = 0;
    // Where in old and new the edit at `at` stands.
    let (mut old_line, mut new_line) = (0, 0);
    while let Some(change) = edits[at..]
        .iter()
        .position(|edit| *edit != Edit::Keep)
        .map(|offset| at + offset)
    {
        let start = change.saturating_sub(CONTEXT).max(at);
        old_line += start - at;
        new_line += start - at;
        let end = hunk_end(&edits, change);
        let hunk = &edits[start..end];
        let removed = hunk.iter().filter(|edit| **edit != Edit::Insert).count();
        let inserted = hunk.iter().filter(|edit| **edit != Edit::Remove).count();
        let _ = writeln!(
            text,
            "@@ -{} +{} @@",
            range(old_line, removed),
            range(new_line, inserted)
        );
        for edit in hunk {
            let (mark, line) = match edit {
                Edit::Keep => (' ', old[old_line]),
                Edit::Remove => ('-', old[old_line]),
                Edit::Insert => ('+', new[new_line]),
            };
            old_line += usize::from(*edit != Edit::Insert);
            new_line += usize::from(*edit != Edit::Remove);
            text.push(mark);
            text.push_str(line);
            if !line.ends_with('\n') {
                text.push_str("\n\\ No newline at end of file\n");
            }
        }
        at = end;
    }
    text
}

/// The end of the hunk that a change is in: changes with less than twice the context between them share one.
fn hunk_end(edits: &[Edit], change: usize) -> usize {
    let mut last = change;
    for (index, edit) in edits.iter().enumerate().skip(change) {
        if *edit != Edit::Keep {
            last = index;
        } else if index - last > 2 * CONTEXT {
            break;
        }
    }
    (last + 1 + CONTEXT).min(edits.len())
}

/// `first line,count`, as diff writes it: without a count of 1, and from the line before when there is none.
fn range(start: usize, count: usize) -> String {
    match count {
        0 => format!("{start},0"),
        1 => format!("{}", start + 1),
        _ => format!("{},{count}", start + 1),
    }
}

/// The shortest edit between two texts, after Myers ("An O(ND) Difference Algorithm", 1986).
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let prefix = old
        .iter()
        .zip(new)
        .take_while(|(left, right)| left == right)
        .count();
    let (old, new) = (&old[prefix..], &new[prefix..]);
    let suffix = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(|(left, right)| left == right)
        .count();
    let (old, new) = (&old[..old.len() - suffix], &new[..new.len() - suffix]);
    let mut all = vec![Edit::Keep; prefix];
    all.extend(middle(old, new).unwrap_or_else(|| {
        let removed = old.iter().map(|_| Edit::Remove);
        removed.chain(new.iter().map(|_| Edit::Insert)).collect()
    }));
    all.extend(vec![Edit::Keep; suffix]);
    all
}

fn middle(old: &[&str], new: &[&str]) -> Option<Vec<Edit>> {
    let most = (old.len() + new.len()).min(MOST_EDITS);
    // Furthest old line reached on each diagonal (old - new), shifted by `most + 1`.
    let mut furthest = vec![0_usize; 2 * most + 3];
    let mut trace = Vec::new();
    for distance in 0..=most {
        trace.push(furthest[most + 1 - distance..=most + 1 + distance].to_vec());
        for step in 0..=distance {
            // Diagonal -distance, -distance + 2, … distance.
            let index = most + 1 + 2 * step - distance;
            let down = step == 0 || (step != distance && furthest[index - 1] < furthest[index + 1]);
            let mut x = if down {
                furthest[index + 1]
            } else {
                furthest[index - 1] + 1
            };
            let mut y = x + most + 1 - index;
            while x < old.len() && y < new.len() && old[x] == new[y] {
                x += 1;
                y += 1;
            }
            furthest[index] = x;
            if x >= old.len() && y >= new.len() {
                return Some(walk_back(&trace, old.len(), new.len()));
            }
        }
    }
    None
}

/// Follows the furthest points back to the start; `trace[d]` holds diagonals -d to d as they were before step d.
fn walk_back(trace: &[Vec<usize>], mut x: usize, mut y: usize) -> Vec<Edit> {
    let mut reversed = Vec::new();
    for (distance, furthest) in trace.iter().enumerate().rev() {
        // Where the diagonal of (x, y) stands in `furthest`.
        let index = distance + x - y.min(distance + x);
        let at = |index: usize| furthest.get(index).copied().unwrap_or(0);
        let down = index == 0 || (index != 2 * distance && at(index - 1) < at(index + 1));
        let (before_x, before_y) = match (distance, down) {
            (0, _) => (0, 0),
            (_, true) => {
                let before = at(index + 1);
                (before, before + distance - (index + 1))
            }
            (_, false) => {
                let before = at(index - 1);
                (before, before + distance - (index - 1))
            }
        };
        while x > before_x && y > before_y {
            reversed.push(Edit::Keep);
            x -= 1;
            y -= 1;
        }
        if distance > 0 {
            reversed.push(if down { Edit::Insert } else { Edit::Remove });
            (x, y) = (before_x, before_y);
        }
    }
    reversed.reverse();
    reversed
}
