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
}
