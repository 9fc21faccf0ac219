//! Bounds for texts that come from somebody else, such as the words of an admission webhook.

/// Returns the text, or its beginning with an ellipsis, in at most `most` bytes.
#[must_use]
pub fn cut(mut text: String, most: usize) -> String {
    const ELLIPSIS: char = '…';
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most.saturating_sub(ELLIPSIS.len_utf8())));
        text.push(ELLIPSIS);
    }
    text
}

/// Joins as many items as fit into `most` bytes, and says how many there are besides. The first is always told, though it may
/// be cut.
#[must_use]
pub fn listed(items: impl IntoIterator<Item = String>, most: usize) -> String {
    const BETWEEN: &str = "; ";
    // Room for the number, however large.
    const REST: usize = " … and 18446744073709551615 more".len();
    let mut items = items.into_iter().peekable();
    let mut text = String::new();
    while let Some(item) = items.next() {
        let between = if text.is_empty() { "" } else { BETWEEN };
        let room = if items.peek().is_none() { most } else { most.saturating_sub(REST) };
        if text.is_empty() || text.len() + between.len() + item.len() <= room {
            text.push_str(between);
            text.push_str(&cut(item, room));
            continue;
        }
        let rest = items.count().saturating_add(1);
        return format!("{text} … and {rest} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        for (letter, most, left) in [("x", 5, "xx…"), ("é", 6, "é…"), ("🟦", 6, "…"), ("🟦", 1, "…")]
        {
            assert_eq!(cut(letter.repeat(9), most), left, "the ellipsis is told even where it does not fit");
        }
        assert_eq!(cut("éé".to_owned(), 4), "éé");
    }

    #[test]
    fn a_list_ends_with_the_number_of_what_does_not_fit() {
        let items = |count: usize| (0..count).map(|index| format!("item {index}"));
        assert_eq!(listed(items(3), 100), "item 0; item 1; item 2");
        for most in 40..200 {
            let told = listed(items(5000), most);
            let (some, rest) = told.split_once(" … and ").unwrap();
            let rest: usize = rest.strip_suffix(" more").unwrap().parse().unwrap();
            assert_eq!(some.split("; ").count() + rest, 5000);
            assert!(told.len() <= most, "{told}");
        }
        let long = ["é".repeat(100), "b".repeat(50)];
        assert!(listed(long.clone(), 80).ends_with("é… … and 1 more"), "{}", listed(long, 80));
        assert_eq!(listed([], 80), "");
    }
}
