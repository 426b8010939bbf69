//! Did you mean: the known name closest to an unknown one.

/// The candidate closest to `name`, unless all are too far away to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let tolerated = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= tolerated)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, removed or replaced to turn one word into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (typed, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = typed + 1;
        for (index, expected) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *expected);
            diagonal = row[index + 1];
            row[index + 1] = replaced.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["postgres", "mariadb", "redis", "redis-cluster"];

    #[test]
    fn a_slip_of_the_finger_is_understood() {
        assert_eq!(nearest("postgers", NAMES), Some("postgres"));
        assert_eq!(nearest("redi", NAMES), Some("redis"));
        assert_eq!(nearest("rediscluster", NAMES), Some("redis-cluster"));
    }

    #[test]
    fn a_different_word_is_not() {
        assert_eq!(nearest("oracle", NAMES), None);
        assert_eq!(nearest("", NAMES), None);
        assert_eq!(nearest("redis", []), None);
    }

    #[test]
    fn the_distance_counts_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
