//! Shows untrusted text on a terminal: an issuer's name, a label, the detail of a refusal.
//!
//! A control character moves the cursor, hides text or starts a new line; a bidirectional override shows
//! characters in another order than they are stored in; an invisible character makes two different names look
//! the same. All of them are shown as escapes such as `\u{202e}`.

/// Escapes every character that [`is_misleading`] or [`is_invisible`].
#[must_use]
pub fn printable(text: &str) -> String {
    escape(text, |character| {
        is_misleading(character) || is_invisible(character)
    })
}

/// Escapes every character that [`is_misleading`], but keeps line breaks.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    escape(text, |character| character != '\n' && is_misleading(character))
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) {
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

/// Whether the character is not displayed, so that texts with and without it look the same. Some scripts and
/// emoji need the joiners among these characters, so labels may contain them; currency names may not.
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
    fn control_and_invisible_characters_are_escaped() {
        for (text, shown) in [
            ("Café 😀 \\n \"x\" 12", "Café 😀 \\n \"x\" 12"),
            ("a\nb\tc\u{1b}[8m", r"a\nb\tc\u{1b}[8m"),
            ("\u{9b}2J\u{7f}", r"\u{9b}2J\u{7f}"),
            ("evil\u{202e}cod.exe\u{2066}", r"evil\u{202e}cod.exe\u{2066}"),
            ("bo\u{200b}b\u{feff}\u{200d}", r"bo\u{200b}b\u{feff}\u{200d}"),
            ("\u{e0041}\u{2028}", r"\u{e0041}\u{2028}"),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn lines_keep_their_breaks_and_joiners() {
        assert_eq!(
            printable_lines("a\nb\u{1b}[8mc\u{202e}d\u{9b}"),
            "a\nb\\u{1b}[8mc\\u{202e}d\\u{9b}"
        );
        assert_eq!(printable_lines("Café 👩\u{200d}🚀"), "Café 👩\u{200d}🚀");
    }

    proptest! {
        #[test]
        fn escaped_text_contains_nothing_to_escape(text in any::<String>()) {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(|character| is_misleading(character) || is_invisible(character)));
            prop_assert_eq!(printable(&shown), shown);
        }
    }
}
