//! "Did you mean": the known word nearest to one that is not known.

/// What to say after "unknown ..": the nearest word if one is near, then all of them.
pub(crate) fn one_of(wrong: &str, known: &[&str]) -> String {
    let list = known.join("`, `");
    match nearest(wrong, known) {
        Some(word) => format!(", did you mean `{word}`? Known: `{list}`"),
        None => format!(". Known: `{list}`"),
    }
}

/// The same without the list.
pub(crate) fn did_you_mean(wrong: &str, known: &[&str]) -> String {
    nearest(wrong, known).map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

/// The nearest name of a time zone, where the city alone or other letters will do.
pub(crate) fn zone<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let wrong = wrong.trim().to_lowercase().replace(' ', "_");
    if wrong.is_empty() {
        return None;
    }
    let lower: Vec<String> = known.iter().map(|zone| zone.to_lowercase()).collect();
    let city = |zone: &str| zone.rsplit('/').next().is_some_and(|city| city == wrong);
    let found = lower.iter().position(|zone| city(zone)).or_else(|| {
        let limit = (wrong.chars().count() / 3).max(1);
        let near = lower
            .iter()
            .enumerate()
            .map(|(index, zone)| (distance(&wrong, zone), index));
        let nearest = near.filter(|(distance, _)| *distance <= limit).min();
        nearest.map(|(_, index)| index)
    })?;
    known.get(found).copied()
}

/// The nearest known word: at most a third of the letters differ, or one contains the other.
fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let limit = (wrong.chars().count() / 3).max(1);
    known
        .iter()
        .map(|word| (distance(&wrong, &word.to_lowercase()), *word))
        .filter(|(distance, word)| *distance <= limit || contains(word, &wrong))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `context` is meant for `takes_context`; a word of three letters is in too many others.
fn contains(word: &str, wrong: &str) -> bool {
    wrong.len() > 3 && (word.contains(wrong) || wrong.contains(word))
}

/// How many letters must be put in, taken out, replaced or swapped with the next one.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            table[i][j] = match (i, j) {
                (0, steps) | (steps, 0) => steps,
                _ if left[i - 1] == right[j - 1] => table[i - 1][j - 1],
                _ => 1 + table[i - 1][j - 1].min(table[i - 1][j]).min(table[i][j - 1]),
            };
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                table[i][j] = table[i][j].min(table[i - 2][j - 2] + 1);
            }
        }
    }
    table[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_counted_and_a_swapped_pair_is_one_mistake() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("queue", "queue"), 0);
        assert_eq!(distance("quee", "queue"), 1);
        assert_eq!(distance("queeu", "queue"), 1);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let known = ["queue", "priority", "takes_context"];
        assert_eq!(nearest("Qeue", &known), Some("queue"));
        assert_eq!(nearest("context", &known), Some("takes_context"));
        assert_eq!(nearest("colour", &known), None);
    }

    #[test]
    fn a_zone_is_found_by_its_city_and_in_other_letters() {
        let known = ["Europe/Berlin", "America/New_York", "Etc/UTC", "UTC"];
        assert_eq!(zone("berlin", &known), Some("Europe/Berlin"));
        assert_eq!(zone("Europe/Berln", &known), Some("Europe/Berlin"));
        assert_eq!(zone("america/new york", &known), Some("America/New_York"));
        assert_eq!(zone("Middle-earth", &known), None);
        assert_eq!(zone("", &known), None);
    }

    #[test]
    fn the_known_words_are_always_listed() {
        assert_eq!(
            one_of("qeue", &["queue"]),
            ", did you mean `queue`? Known: `queue`"
        );
        assert_eq!(one_of("colour", &["queue", "name"]), ". Known: `queue`, `name`");
    }
}
