//! Texts of strangers on a terminal: an issuer's name, a label, the detail of a refusal.
//!
//! A control character moves the cursor, hides text or starts a new line; a bidirectional override shows
//! characters in another order than they are stored in; an invisible character makes two different names look
//! the same. All of them are shown as escapes such as `\u{202e}`.

/// The text with every character that [`is_misleading`] or [`is_invisible`] written as an escape.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_misleading(character) || is_invisible(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether the character controls a terminal or the direction of text. Names, labels and reasons must not
/// contain it.
#[must_use]
pub fn is_misleading(character: char) -> bool {
    character.is_control()
        || matches!(character,
            // Direction: Arabic letter mark, marks, embeddings, overrides, isolates.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators, interlinear annotations.
            | '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
}

/// Whether the character takes no room, so that texts with and without it look the same. Some scripts and
/// emoji need the joiners among them, so labels may contain these characters and currency names may not.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    matches!(character,
        '\u{00ad}' | '\u{034f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{feff}' | '\u{ffa0}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_controls_a_terminal_or_hides_is_escaped() {
        assert_eq!(printable("Café 😀 \\n \"x\" 12"), "Café 😀 \\n \"x\" 12");
        assert_eq!(printable("a\nb\tc\u{1b}[8m"), r"a\nb\tc\u{1b}[8m");
        assert_eq!(printable("\u{9b}2J\u{7f}"), r"\u{9b}2J\u{7f}");
        assert_eq!(
            printable("evil\u{202e}cod.exe\u{2066}"),
            r"evil\u{202e}cod.exe\u{2066}"
        );
        assert_eq!(
            printable("bo\u{200b}b\u{feff}\u{200d}"),
            r"bo\u{200b}b\u{feff}\u{200d}"
        );
        assert_eq!(printable("\u{e0041}\u{2028}"), r"\u{e0041}\u{2028}");
    }

    proptest! {
        #[test]
        fn what_is_shown_holds_nothing_to_escape(text in any::<String>()) {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(|character| is_misleading(character) || is_invisible(character)));
            prop_assert_eq!(printable(&shown), shown);
        }
    }
}
